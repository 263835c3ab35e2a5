// Package mocks has typed mocks of the interfaces of package verifier, for
// go.uber.org/mock: expectations are methods with the real types, so that a
// wrong one does not compile.
//
// Use a mock where the call is the behaviour under test ("the keys are fetched
// once", "the resolver is asked with this host"). For everything else the fakes
// of package verifiertest are shorter and break less: they keep the contracts
// of the interfaces, whereas a mock does whatever it is told.
//
// Calls come from goroutines of the Verifier, and some of them after the
// request was answered: have the controller of the test (gomock.NewController
// with its testing.TB) and close the Verifier before the test ends, so that
// every expected call has been made when the controller looks.
package mocks

//go:generate go tool mockgen -typed -package=mocks -destination=verifier.go -write_package_comment=false -write_command_comment=false -write_source_comment=false github.com/portcullis-go/portcullis/verifier Cache,Clearer,ReplayStore,DomainResolver,IssuerResolver,StaticDomains,KeyFetcher,Clock,Doer,NonceSource,Observer,RequestVerifier,SignatureAlgorithm,SignatureKey,Introspector,RevocationChecker,RevocationStore,KeyDecrypter
