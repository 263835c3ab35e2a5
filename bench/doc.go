// Package bench compares Portcullis with other Go libraries.
package bench
