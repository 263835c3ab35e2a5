//go:build boringcrypto

package fastrsa

// boring: the program must use BoringCrypto.
const boring = true
