package keyset

// AlgorithmNames returns the names of all algorithms, in a fixed order.
func AlgorithmNames() []string {
	names := make([]string, len(algorithms))
	for i := range algorithms {
		names[i] = algorithms[i].Name
	}
	return names
}
