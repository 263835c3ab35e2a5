package exchange

// The names of results, for the property test of keys.

// ProfileKey returns the name under which the result of a request is kept.
func (c *Client) ProfileKey(r ProfileRequest) (string, error) {
	k, err := c.profileCall(profileFlow, &r)
	if err != nil {
		return "", err
	}
	return c.key(k), nil
}

// VaultKey returns the name under which the result of a request is kept.
func (c *Client) VaultKey(r ConnectionRequest) (string, error) {
	k, err := c.vaultCall(vaultFlow, &r)
	if err != nil {
		return "", err
	}
	return c.key(k), nil
}
