// Package apitest sends the same requests to the APIs of the framework
// examples, over real HTTP, so that all of them are held to the same answers.
package apitest
