package ties

func call(t thing) int {
	local := use(t)
	return local + t.method()
}
