// Package resolver holds ready-made [verifier.DomainResolver]s.
package resolver
