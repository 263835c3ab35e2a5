package ties

func use(t thing) int {
	local := t.field
	return local
}
