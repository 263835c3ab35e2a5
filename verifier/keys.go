package verifier

import (
	"fmt"
	"reflect"
	"slices"
)

// Keys says where the keys of an issuer are. The zero value is the metadata
// under the issuer's name. [New] checks it.
type Keys struct{ of *keysOf }

// keysOf is what a Keys was made with. It is never changed.
type keysOf struct {
	metadata, url, path string
	static              []byte
	fetcher             KeyFetcher
	isFile, isStatic    bool
	hosts               []string
	shared              string
	use                 string
	parts               []Keys // of KeysUnited
	err                 string // what is wrong with the arguments
}

// KeysDiscovery finds the keys through the metadata under the issuer's name, as
// the zero value does, and allows the metadata to place them on further hosts
// ("www.googleapis.com"), with port if not 443.
func KeysDiscovery(hosts ...string) Keys { return Keys{&keysOf{hosts: slices.Clone(hosts)}} }

// KeysMetadata finds the keys through metadata at a URL of its own, such as a
// name inside a cluster, and allows it to place them on further hosts beside the
// URL's. The metadata must state the issuer.
func KeysMetadata(url string, hosts ...string) Keys {
	return Keys{&keysOf{metadata: url, hosts: slices.Clone(hosts), err: blank(url)}}
}

// KeysURL takes the key set at a URL. No metadata is fetched to verify tokens.
func KeysURL(url string) Keys { return Keys{&keysOf{url: url, err: blank(url)}} }

// KeysFile takes the key set in a file. The file is looked at again every 30 s,
// and read when it has changed. Replace it by renaming: half a file is refused,
// and the keys held stay in use.
func KeysFile(path string) Keys {
	return Keys{&keysOf{path: path, isFile: true, err: blank(path)}}
}

// KeysStatic takes a key set that never changes (RFC 7517, Section 5). It is
// copied.
func KeysStatic(jwks []byte) Keys {
	return Keys{&keysOf{static: slices.Clone(jwks), isStatic: true, err: blank(string(jwks))}}
}

// KeysFrom asks a [KeyFetcher].
func KeysFrom(f KeyFetcher) Keys {
	k := &keysOf{fetcher: f}
	if isNil(f) {
		k.err = "is KeysFrom of a nil KeyFetcher"
	}
	return Keys{k}
}

// KeysShared makes one key set that of several issuers, such as the tenants of
// one server: its documents are fetched and kept once, under name. Metadata, if
// keys finds the set through some, must state name, byte for byte. A key with a
// member "issuer" verifies tokens of exactly that iss, or, where the member equals
// name, those of all the issuers.
//
// Make the value once and give it to all the issuers. keys cannot be the zero
// value or KeysDiscovery.
func KeysShared(name string, keys Keys) Keys {
	k := &keysOf{}
	if keys.of != nil {
		*k = *keys.of
	}
	k.shared = name
	switch {
	case name == "":
		k.err = "is KeysShared without a name"
	case keys.of == nil || keys.of.metadata == "" && keys.of.url == "" && !keys.of.isFile && !keys.of.isStatic && keys.of.fetcher == nil && len(keys.of.parts) == 0:
		k.err = "is KeysShared of discovery; say where the shared documents are with KeysMetadata or KeysURL"
	}
	return Keys{k}
}

// KeysUnited unites the key sets of one issuer, which publishes several: of Azure AD
// B2C, one for each policy. All are fetched together, and one that fails makes the
// whole a failure, since a part of the keys would refuse good tokens. Each of 2 to 8
// must be KeysURL, KeysMetadata, KeysFile or KeysStatic.
func KeysUnited(keys ...Keys) Keys {
	k := &keysOf{parts: slices.Clone(keys)}
	if len(keys) < 2 || len(keys) > maxUnited {
		k.err = "is KeysUnited of fewer than 2 or more than 8 sets"
	}
	for _, part := range keys {
		switch {
		case part.of == nil || part.of.shared != "" || part.of.use != "" || part.of.metadata == "" && part.of.url == "" && !part.of.isFile && !part.of.isStatic:
			k.err = "is KeysUnited of something else than KeysURL, KeysMetadata, KeysFile and KeysStatic"
		case part.of.err != "":
			k.err = part.of.err
		}
	}
	return Keys{k}
}

const maxUnited = 8

// ForUse takes the keys whose "use" member has this value, in place of "sig"
// (RFC 7517, Section 4.2), such as "jwt-svid" in the bundles of SPIFFE. A key
// without that member is not taken then.
func (k Keys) ForUse(use string) Keys {
	of := &keysOf{}
	if k.of != nil {
		*of = *k.of
	}
	of.use = use
	if use == "" || use == "enc" {
		of.err = "is ForUse of no use for signatures"
	}
	return Keys{of}
}

// Check says what is wrong with the arguments that a Keys was made with, or nil. New does
// the same, and more; Check is for resolvers that are given Issuers. The error is a
// [*ConfigError].
func (k Keys) Check() error {
	if k.of == nil || k.of.err == "" {
		return nil
	}
	return invalid("Issuers.Keys", k.of.err)
}

func blank(text string) string {
	if text == "" {
		return "is empty"
	}
	return ""
}

// instance tells the KeyFetcher from all others that are in use: one that can be
// compared by itself, any other by the Keys that it came in.
func (k *keysOf) instance() any {
	if reflect.ValueOf(k.fetcher).Comparable() {
		return k.fetcher
	}
	return k
}

// identity returns something comparable that tells where the keys come from.
func (k Keys) identity() any {
	if k.of == nil {
		return nil
	}
	if len(k.of.parts) > 0 {
		return k.of
	}
	if f := k.of.fetcher; f != nil && !reflect.ValueOf(f).Comparable() {
		return k.of
	}
	type content struct {
		metadata, url, path, static, hosts, shared, use string
		fetcher                                         KeyFetcher
	}
	return content{k.of.metadata, k.of.url, k.of.path, string(k.of.static), fmt.Sprintf("%q", k.of.hosts), k.of.shared, k.of.use, k.of.fetcher}
}
