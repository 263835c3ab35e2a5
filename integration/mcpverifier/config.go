package mcpverifier

import (
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/verifier"
)

// Config describes a protected MCP server. Resource and Verifier must be given.
type Config struct {
	// Resource is the URL of the MCP endpoint as clients write it, such as
	// "https://mcp.example.com/mcp": https, or http on a loopback address,
	// without query, fragment and credentials. It is the resource of the
	// metadata (RFC 9728, Section 2) and what clients ask tokens for (RFC 8707).
	Resource string

	// Verifier says which tokens are accepted. [New] completes it: where there
	// is no Audience, it is [Audiences] of Resource; where there is neither
	// ExternalURL nor TrustedProxies, ExternalURL is the scheme and host of
	// Resource; ResourceMetadataURL is that of the metadata, and ChallengeScope has
	// Scopes. Auth0Statuses is refused, because MCP clients begin to
	// authorize at status 401 alone.
	Verifier verifier.Config

	// AuthorizationServers are the issuers to send clients to. Default: the
	// issuers of Verifier.Domain or Verifier.Issuers, as their own metadata spells
	// them. With Verifier.Domains, or issuers whose keys are from elsewhere than
	// their metadata, this field must be set.
	AuthorizationServers []string

	// Scopes that every request needs. They are in the challenges of status
	// 401, so that clients ask for no more. Default none.
	Scopes []string

	// ScopesSupported of the metadata: those of the basic functions (the
	// specification wants few). Default Scopes.
	ScopesSupported []string

	// UnionScopes adds the scopes that the token has to those that a challenge
	// of status 403 asks for. Revision 2025-11-25 recommends it; in 2026-07-28
	// the union is the client's work. It is for clients that ask for exactly
	// what the challenge names and so lose what they had.
	UnionScopes bool

	// Name and Documentation of the metadata, for humans.
	Name          string
	Documentation string

	// HTTP are the options of the SDK. An idle session is closed after
	// SessionTimeout; here zero stands for an hour, and a negative value keeps
	// sessions until their clients end them. DisableLocalhostProtection is set
	// where Resource is on another host than this one: the SDK would refuse the
	// requests that a proxy of the same machine passes on, and no page can make a
	// browser send a token that it does not have.
	HTTP mcp.StreamableHTTPOptions
}

// defaultSessionTimeout bounds the sessions of clients that never end them.
const defaultSessionTimeout = time.Hour

// Audiences returns the two spellings of a resource that a client may ask
// tokens for: without and with a slash at the end. Both are valid identifiers
// of a server, and client libraries that parse "https://mcp.example.com" write
// "https://mcp.example.com/".
func Audiences(resource string) []string {
	bare := strings.TrimRight(resource, "/")
	return []string{bare, bare + "/"}
}

// configError matches verifier.ErrConfig.
type configError struct{ field, problem string }

// errNoServer is the refusal of New without a server.
var errNoServer error = &configError{"", "cannot be served without getServer"}

func (e *configError) Error() string {
	return "mcpverifier: " + strings.TrimSuffix("Config."+e.field, ".") + " " + e.problem
}

func (e *configError) Is(target error) bool { return target == verifier.ErrConfig }

// endpoint checks Resource and returns it parsed.
func (c *Config) endpoint() (*url.URL, error) {
	u, err := url.Parse(c.Resource)
	if err != nil || u.Host == "" || strings.ContainsAny(c.Resource, "?#") {
		return nil, &configError{"Resource", "is not the URL of an MCP endpoint, without query and fragment"}
	}
	return u, nil
}

// complete fills in what follows from Resource and Scopes.
func (c *Config) complete(endpoint *url.URL, metadataURL string) error {
	v := &c.Verifier
	if v.Auth0Statuses {
		return &configError{"Verifier.Auth0Statuses", "cannot be used: MCP clients begin to authorize at status 401 alone"}
	}
	if v.ResourceMetadataURL != "" && v.ResourceMetadataURL != metadataURL {
		return &configError{"Verifier.ResourceMetadataURL", "must be left to New"}
	}
	v.ResourceMetadataURL = metadataURL
	if v.Audience == "" && len(v.Audiences) == 0 {
		v.Audiences = Audiences(c.Resource)
	}
	if v.ExternalURL == "" && len(v.TrustedProxies) == 0 {
		v.ExternalURL = endpoint.Scheme + "://" + endpoint.Host
	}
	if v.ChallengeScope == "" {
		v.ChallengeScope = strings.Join(c.Scopes, " ")
	}
	if len(c.ScopesSupported) == 0 {
		c.ScopesSupported = c.Scopes
	}
	if host := endpoint.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		c.HTTP.DisableLocalhostProtection = true
	}
	if c.HTTP.SessionTimeout == 0 {
		c.HTTP.SessionTimeout = defaultSessionTimeout
	}
	return nil
}

// issuers returns the issuers whose own metadata can be asked for their names, or
// none.
func (c *Config) issuers() []string {
	if c.Verifier.Domain != "" {
		return []string{c.Verifier.Domain}
	}
	if c.Verifier.Domains != nil {
		return nil
	}
	var names []string
	for _, issuer := range c.Verifier.Issuers {
		if issuer.Keys != (verifier.Keys{}) {
			return nil
		}
		names = append(names, issuer.Name)
	}
	return names
}

// metadata describes the server, but for its authorization servers.
func (c *Config) metadata() verifier.ResourceMetadata {
	m := verifier.ResourceMetadata{
		Resource: c.Resource, AuthorizationServers: c.AuthorizationServers, ScopesSupported: c.ScopesSupported,
		Name: c.Name, Documentation: c.Documentation,
	}
	if dpop := c.Verifier.DPoP; dpop.Mode != verifier.DPoPDisabled {
		m.DPoPAlgorithms, m.DPoPRequired = dpop.Algorithms, dpop.Mode == verifier.DPoPRequired
		if len(m.DPoPAlgorithms) == 0 {
			m.DPoPAlgorithms = []string{"ES256"} // the default of DPoPConfig
		}
	}
	return m
}
