package exchange

import "fmt"

// The names of results, for the property test of keys.

// Key returns the name under which the result of a request is kept. The request
// is one of those of this package, by value.
func (c *Client) Key(request any) (string, error) {
	var k *call
	var err error
	switch r := request.(type) {
	case ProfileRequest:
		k, err = c.profileCall(profileFlow, &r)
	case OnBehalfOfRequest:
		k, err = c.onBehalfOfCall(&r)
	case ConnectionRequest:
		k, err = c.vaultCall(vaultFlow, &r)
	case IDJAGRequest:
		k, err = c.idJAGCall(&r)
	case JWTBearerRequest:
		k, err = c.bearerCall(jwtBearer, &r)
	default:
		return "", fmt.Errorf("a request of type %T", request)
	}
	if err != nil {
		return "", err
	}
	return c.key(k), nil
}

// Reserved reports whether a name cannot be in Extra.
func Reserved(name string) bool { return isReserved(name) }
