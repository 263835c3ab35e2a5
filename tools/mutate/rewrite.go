package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mutant is one change, behind the switch of its number.
type mutant struct {
	id         int
	file       string
	line       int
	function   string
	what, code string
}

// rewriter puts switches around the code of a file. Every change is a pair of
// insertions, so changes may lie inside each other.
type rewriter struct {
	unit     *unit
	file     string
	source   []byte
	next     *int
	mutants  []mutant
	function string
	results  *types.Tuple

	before map[int][]string // offset -> texts, outermost first
	after  map[int][]string // offset -> texts, innermost first
}

// rewrite returns the file with all changes behind switches.
func rewrite(u *unit, file string, next *int) ([]byte, []mutant) {
	r := &rewriter{
		unit: u, file: file, source: u.sources[file], next: next,
		before: make(map[int][]string), after: make(map[int][]string),
	}
	for _, decl := range u.files[file].Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			r.function = f.Name.Name
			r.body(f.Type, f.Body)
		}
	}
	number(r.mutants)
	return r.render(), r.mutants
}

// number tells changes of a function apart that read alike, so that a reason for
// one is none for the others.
func number(mutants []mutant) {
	seen := make(map[string]int)
	for i := range mutants {
		place := mutants[i].place()
		if seen[place]++; seen[place] > 1 {
			mutants[i].what += fmt.Sprintf(", number %d", seen[place])
		}
	}
}

func (r *rewriter) render() []byte {
	offsets := slices.Concat(slices.Collect(maps.Keys(r.before)), slices.Collect(maps.Keys(r.after)))
	slices.Sort(offsets)
	var out []byte
	last := 0
	for _, at := range slices.Compact(offsets) {
		out = append(out, r.source[last:at]...)
		for _, text := range r.after[at] {
			out = append(out, text...)
		}
		for _, text := range r.before[at] {
			out = append(out, text...)
		}
		last = at
	}
	return append(out, r.source[last:]...)
}

func (r *rewriter) offset(p token.Pos) int { return r.unit.fset.Position(p).Offset }

func (r *rewriter) text(n ast.Node) string {
	return string(r.source[r.offset(n.Pos()):r.offset(n.End())])
}

// wrapping is an opened pair of insertions.
type wrapping struct {
	at   int
	text string
}

// wrap notes a change and opens its insertions; before and after hold %d for
// the number of the switch.
func (r *rewriter) wrap(n ast.Node, what, before, after string) wrapping {
	id := *r.next
	*r.next++
	code := strings.Join(strings.Fields(r.text(n)), " ")
	if len(code) > 90 {
		code = code[:87] + "..."
	}
	r.mutants = append(r.mutants, mutant{
		id: id, file: r.file, line: r.unit.fset.Position(n.Pos()).Line, function: r.function, what: what, code: code,
	})
	number := strconv.Itoa(id)
	at := r.offset(n.Pos())
	r.before[at] = append(r.before[at], strings.ReplaceAll(before, "%d", number))
	return wrapping{r.offset(n.End()), strings.ReplaceAll(after, "%d", number)}
}

// close writes what belongs behind a node, after all within it was visited.
func (r *rewriter) close(open []wrapping) {
	for _, w := range slices.Backward(open) {
		r.after[w.at] = append(r.after[w.at], w.text)
	}
}

// body visits a function, whose returns have its results.
func (r *rewriter) body(f *ast.FuncType, body *ast.BlockStmt) {
	outer := r.results
	r.results = nil
	if signature, ok := r.unit.info.Types[f].Type.(*types.Signature); ok {
		r.results = signature.Results()
	} else if f.Results != nil {
		var list []*types.Var
		for _, field := range f.Results.List {
			for range max(1, len(field.Names)) {
				list = append(list, types.NewVar(token.NoPos, nil, "", r.unit.info.Types[field.Type].Type))
			}
		}
		r.results = types.NewTuple(list...)
	}
	r.block(body.List)
	r.results = outer
}

func (r *rewriter) block(list []ast.Stmt) {
	for _, s := range list {
		var open []wrapping
		if what := removable(s); what != "" {
			open = append(open, r.wrap(s, what, "if !mutant_(%d) { ", " }"))
		}
		r.statement(s)
		r.close(open)
	}
}

// removable names statements that can be left out without a compile error.
func removable(s ast.Stmt) string {
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt:
		return "left out"
	case *ast.AssignStmt:
		if s.Tok != token.DEFINE {
			return "left out"
		}
	case *ast.BranchStmt:
		if s.Tok == token.CONTINUE || s.Tok == token.BREAK {
			return "left out"
		}
	}
	return ""
}

func (r *rewriter) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.IfStmt:
		r.simple(s.Init)
		r.condition(s.Cond, true)
		r.block(s.Body.List)
		if s.Else != nil {
			r.statement(s.Else)
		}
	case *ast.BlockStmt:
		r.block(s.List)
	case *ast.ForStmt:
		r.simple(s.Init)
		if s.Cond != nil {
			r.expression(s.Cond)
		}
		r.simple(s.Post)
		r.block(s.Body.List)
	case *ast.RangeStmt:
		r.expression(s.X)
		r.block(s.Body.List)
	case *ast.SwitchStmt:
		r.simple(s.Init)
		if s.Tag != nil {
			r.expression(s.Tag)
		}
		for _, c := range s.Body.List {
			r.clause(s.Tag, c.(*ast.CaseClause))
		}
	case *ast.TypeSwitchStmt:
		for _, c := range s.Body.List {
			r.block(c.(*ast.CaseClause).Body)
		}
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			r.block(c.(*ast.CommClause).Body)
		}
	case *ast.LabeledStmt:
		r.statement(s.Stmt)
	case *ast.ReturnStmt:
		r.returned(s)
	case nil:
	default:
		r.simple(s)
	}
}

// simple visits the expressions of a statement that cannot be left out where it
// stands.
func (r *rewriter) simple(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.ExprStmt:
		r.expression(s.X)
	case *ast.AssignStmt:
		for _, x := range s.Rhs {
			r.expression(x)
		}
	case *ast.DeferStmt:
		r.expression(s.Call)
	case *ast.GoStmt:
		r.expression(s.Call)
	case *ast.SendStmt:
		r.expression(s.Value)
	case *ast.DeclStmt:
		if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				for _, x := range spec.(*ast.ValueSpec).Values {
					r.expression(x)
				}
			}
		}
	}
}

// clause visits a case. One without tag is a condition; of one with a tag each
// plain value is taken away.
func (r *rewriter) clause(tag ast.Expr, c *ast.CaseClause) {
	for _, x := range c.List {
		if tag == nil {
			r.condition(x, true)
			continue
		}
		literal, ok := x.(*ast.BasicLit)
		basic, isBasic := r.unit.info.Types[x].Type.(*types.Basic)
		if !ok || !isBasic {
			continue
		}
		switch {
		case literal.Kind == token.STRING:
			r.close([]wrapping{r.wrap(x, "case never taken", "mutantValue_["+basic.Name()+"](%d, ", ", \"\\x00\")")})
		case literal.Kind == token.INT || literal.Kind == token.CHAR:
			never := "1"
			if literal.Value == never {
				never = "97"
			}
			r.close([]wrapping{r.wrap(x, "case never taken", "mutantValue_["+basic.Name()+"](%d, ", ", "+never+")")})
		}
	}
	r.block(c.Body)
}

// condition visits what decides a branch: it is also taken as true and as
// false.
func (r *rewriter) condition(x ast.Expr, whole bool) {
	if r.constant(x) {
		return
	}
	var open []wrapping
	if whole {
		open = append(open,
			r.wrap(x, "taken as true", "(mutant_(%d) || (", "))"),
			r.wrap(x, "taken as false", "(!mutant_(%d) && (", "))"))
	}
	r.logic(x)
	r.close(open)
}

// logic visits a boolean expression that is a condition: of && and || each
// side is left out, of comparisons the boundary is moved.
func (r *rewriter) logic(x ast.Expr) {
	switch x := x.(type) {
	case *ast.ParenExpr:
		r.logic(x.X)
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			r.logic(x.X)
			return
		}
		r.expression(x)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND, token.LOR:
			before, after := "(mutant_(%d) || (", "))"
			if x.Op == token.LOR {
				before = "(!mutant_(%d) && ("
			}
			for _, side := range []ast.Expr{x.X, x.Y} {
				var open []wrapping
				if !r.constant(side) && !sameOperator(side, x.Op) {
					open = append(open, r.wrap(side, "left out of the condition", before, after))
				}
				r.logic(side)
				r.close(open)
			}
		default:
			r.comparison(x)
		}
	default:
		r.expression(x)
	}
}

// sameOperator reports whether an operand is a chain of the same operator, the
// members of which are visited one by one.
func sameOperator(x ast.Expr, op token.Token) bool {
	b, ok := x.(*ast.BinaryExpr)
	return ok && b.Op == op
}

func (r *rewriter) comparison(x *ast.BinaryExpr) {
	moved := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[x.Op]
	var open []wrapping
	if r.found(x) {
		r.expression(x.X)
		return
	}
	if moved != "" && !r.constant(x) {
		alternative := r.text(x.X) + " " + moved + " " + r.text(x.Y)
		open = append(open, r.wrap(x, "compared with "+moved, "(!mutant_(%d) && (", ") || mutant_(%d) && ("+alternative+"))"))
	}
	r.expression(x.X)
	r.expression(x.Y)
	r.close(open)
}

// found reports whether a comparison asks if something was found (an index and
// zero): where it was found is another matter, and moving the boundary changes
// nothing that is not refused later.
func (r *rewriter) found(x *ast.BinaryExpr) bool {
	zero, ok := x.Y.(*ast.BasicLit)
	if !ok || zero.Value != "0" || x.Op != token.LSS && x.Op != token.GEQ {
		return false
	}
	text := r.text(x.X)
	return strings.Contains(text, "Index") || text == "i" || text == "end" || strings.HasSuffix(text, "Length")
}

// expression visits values.
func (r *rewriter) expression(x ast.Expr) {
	if x == nil || r.constant(x) && !r.literal(x) {
		return
	}
	switch x := x.(type) {
	case *ast.FuncLit:
		r.body(x.Type, x.Body)
	case *ast.BasicLit:
		r.number(x)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND, token.LOR:
			r.logic(x)
		case token.EQL, token.NEQ:
			r.negatable(x)
		case token.LSS, token.LEQ, token.GTR, token.GEQ:
			r.comparison(x)
		default:
			r.arithmetic(x)
		}
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			r.close([]wrapping{r.wrap(x, "negated", "(mutant_(%d) != (", "))")})
		}
		if x.Op != token.AND {
			r.expression(x.X)
		} else if literal, ok := x.X.(*ast.CompositeLit); ok {
			r.expression(literal)
		}
	case *ast.ParenExpr:
		r.expression(x.X)
	case *ast.CallExpr:
		if r.unit.info.Types[x.Fun].IsBuiltin() && r.text(x.Fun) == "make" {
			return // capacities change nothing
		}
		r.expression(x.Fun)
		for _, a := range x.Args {
			r.expression(a)
		}
	case *ast.SelectorExpr:
		r.expression(x.X)
	case *ast.IndexExpr:
		r.expression(x.Index)
	case *ast.SliceExpr:
		r.expression(x.X)
		for _, i := range []ast.Expr{x.Low, x.High} {
			r.expression(i)
		}
	case *ast.CompositeLit:
		if _, array := r.unit.info.Types[x].Type.Underlying().(*types.Array); array {
			return
		}
		for _, e := range x.Elts {
			if pair, ok := e.(*ast.KeyValueExpr); ok {
				e = pair.Value
			}
			r.expression(e)
		}
	}
}

func (r *rewriter) negatable(x *ast.BinaryExpr) {
	open := []wrapping{r.wrap(x, "negated", "(mutant_(%d) != (", "))")}
	r.expression(x.X)
	r.expression(x.Y)
	r.close(open)
}

var arithmetic = map[token.Token]string{
	token.ADD: "-", token.SUB: "+", token.MUL: "+", token.SHL: ">>", token.SHR: "<<",
	token.OR: "&", token.AND: "|", token.AND_NOT: "|",
}

func (r *rewriter) arithmetic(x *ast.BinaryExpr) {
	swapped := arithmetic[x.Op]
	basic, ok := r.unit.info.Types[x].Type.Underlying().(*types.Basic)
	var open []wrapping
	if swapped != "" && ok && basic.Info()&types.IsNumeric != 0 && r.pure(x) {
		alternative := r.text(x.X) + " " + swapped + " " + r.text(x.Y)
		open = append(open, r.wrap(x, "computed with "+swapped, "mutantValue_["+r.typeName(x)+"](%d, ", ", "+alternative+")"))
	}
	r.expression(x.X)
	r.expression(x.Y)
	r.close(open)
}

// typeName is the type of an expression, as the file can write it: that of a shift
// of a constant is what stands around it.
func (r *rewriter) typeName(x ast.Expr) string {
	return types.TypeString(r.unit.info.Types[x].Type, func(p *types.Package) string {
		if p.Path() == r.unit.dir {
			return ""
		}
		return p.Name()
	})
}

// pure reports whether an expression can be evaluated twice.
func (r *rewriter) pure(x ast.Expr) bool {
	pure := true
	ast.Inspect(x, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		fun := r.unit.info.Types[call.Fun]
		selector, isMethod := call.Fun.(*ast.SelectorExpr)
		known := isMethod && slices.Contains([]string{"Sub", "Now", "UnixNano", "Float64", "EncodedLen", "IndexByte", "Params"}, selector.Sel.Name)
		pure = pure && (fun.IsBuiltin() || fun.IsType() || known || isMethod && r.isTime(selector.X))
		return true
	})
	return pure
}

func (r *rewriter) isTime(x ast.Expr) bool {
	t := r.unit.info.Types[x].Type
	return t != nil && t.String() == "time.Time"
}

// number adds one to an integer; the greatest byte becomes 0xfe.
func (r *rewriter) number(x *ast.BasicLit) {
	basic, ok := r.unit.info.Types[x].Type.(*types.Basic)
	if !ok || x.Kind != token.INT || basic.Info()&types.IsInteger == 0 || basic.Info()&types.IsUntyped != 0 {
		return
	}
	what, other := "one more", x.Value+"+1"
	if value := r.unit.info.Types[x].Value; basic.Kind() == types.Uint8 && value != nil && value.ExactString() == "255" {
		what, other = "one less", x.Value+"-1"
	}
	r.close([]wrapping{r.wrap(x, what, "mutantValue_["+basic.Name()+"](%d, ", ", "+other+")")})
}

func (r *rewriter) literal(x ast.Expr) bool {
	_, ok := x.(*ast.BasicLit)
	return ok
}

func (r *rewriter) constant(x ast.Expr) bool { return r.unit.info.Types[x].Value != nil }

// returned visits a return: booleans are negated, and errors become nil where
// that is not sure to crash.
//
// What is returned beside a failure is nobody's business and stays.
func (r *rewriter) returned(s *ast.ReturnStmt) {
	failed := len(s.Results) > 1 && slices.Contains([]string{"false", "err"}, r.text(s.Results[len(s.Results)-1]))
	for i, x := range s.Results {
		if _, literal := x.(*ast.BasicLit); failed && literal {
			continue
		}
		var open []wrapping
		if r.results != nil && r.results.Len() == len(s.Results) {
			switch result := r.results.At(i).Type(); {
			case types.Identical(result, types.Typ[types.Bool]):
				if _, compound := x.(*ast.BinaryExpr); !compound {
					open = append(open, r.wrap(x, "negated", "(mutant_(%d) != (", "))"))
				}
			case result.String() == "error" && r.text(x) != "nil" && !r.crashes(i):
				open = append(open, r.wrap(x, "no error", "mutantError_(%d, ", ")"))
			}
		}
		if b, ok := x.(*ast.BinaryExpr); ok && (b.Op == token.LAND || b.Op == token.LOR) {
			r.condition(x, false)
		} else {
			r.expression(x)
		}
		r.close(open)
	}
}

// crashes reports whether callers look at a pointer when there is no error.
func (r *rewriter) crashes(errorAt int) bool {
	for i := range r.results.Len() {
		if _, pointer := r.results.At(i).Type().Underlying().(*types.Pointer); pointer && i != errorAt {
			return true
		}
	}
	return false
}

// runtime is the source of the switches of a package. The variable says which
// one is thrown; the other one makes the first passing of each be recorded.
func runtimeSource(name string, count int) []byte {
	return fmt.Appendf(nil, `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var mutantThrown_, mutantTrace_, mutantSeen_ = func() (int, *os.File, []atomic.Bool) {
	if name := os.Getenv("MUTANT_TRACE"); name != "" {
		file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		return -1, file, make([]atomic.Bool, %d)
	}
	id, err := strconv.Atoi(os.Getenv("MUTANT"))
	if err != nil {
		id = -1
	}
	return id, nil, nil
}()

func mutant_(id int) bool {
	if mutantTrace_ != nil && !mutantSeen_[id].Swap(true) {
		_, _ = mutantTrace_.WriteString(strconv.Itoa(id) + "\n")
	}
	return mutantThrown_ == id
}

func mutantValue_[T any](id int, as, other T) T {
	if mutant_(id) {
		return other
	}
	return as
}

func mutantError_(id int, err error) error {
	if mutant_(id) {
		return nil
	}
	return err
}

var _, _ = mutantValue_[int], mutantError_
`, name, count)
}
