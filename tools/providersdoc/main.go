// Providersdoc writes docs/providers.md, which provider needs which configuration, from
// the set-ups that the tests of package providers run: what the page tells to write is
// what was verified with.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

//go:generate go run . ../../providers ../../docs/providers.md

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: providersdoc FOLDER FILE")
	}
	page, err := document(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[2], page, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// row is a set-up of the page.
type row struct {
	provider, kind, about, source string
	config                        []string // fields of verifier.Config, and lines before them
	refused                       string   // the reason, or ""
}

// table is one variable of set-ups.
type table struct {
	name string
	rows []row
}

// order of the sections, by the names of the variables.
var order = []struct{ name, heading string }{
	{"hosted", "Services"},
	{"selfHosted", "Servers of your own"},
	{"microsoft", "Microsoft"},
	{"clouds", "Amazon and Google"},
	{"workloads", "Clusters, pipelines and workloads"},
	{"encryptedOrOpaque", "Encrypted and opaque tokens"},
}

// reader reads the tables of a package.
type reader struct {
	files   *token.FileSet
	texts   map[string]string // constants
	reasons map[string]string // constants of package reason
	tables  map[string]*table
}

func read(folder string) (*reader, error) {
	r := &reader{files: token.NewFileSet(), texts: make(map[string]string), tables: make(map[string]*table)}
	reasons, err := r.parse(filepath.Join(folder, "..", "verifier", "reason", "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range reasons {
		r.constants(file)
	}
	r.reasons, r.texts = r.texts, make(map[string]string)
	all, err := r.parse(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		r.constants(file)
	}
	for _, file := range all {
		if err := r.setups(file); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *reader) parse(pattern string) (all []*ast.File, err error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file, err := parser.ParseFile(r.files, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		all = append(all, file)
	}
	return all, nil
}

// constants notes the texts that have a name.
func (r *reader) constants(file *ast.File) {
	each(file, token.CONST, func(spec *ast.ValueSpec) {
		for i, name := range spec.Names {
			if i < len(spec.Values) {
				if text, ok := r.text(spec.Values[i]); ok {
					r.texts[name.Name] = text
				}
			}
		}
	})
}

func each(file *ast.File, tok token.Token, f func(*ast.ValueSpec)) {
	for _, decl := range file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == tok {
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					f(v)
				}
			}
		}
	}
}

// text evaluates a constant text.
func (r *reader) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		text, ok := r.texts[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		left, ok1 := r.text(e.X)
		right, ok2 := r.text(e.Y)
		return left + right, ok1 && ok2 && e.Op == token.ADD
	default:
		return "", false
	}
}

// setups reads the variables of type []setup.
func (r *reader) setups(file *ast.File) (err error) {
	each(file, token.VAR, func(spec *ast.ValueSpec) {
		if len(spec.Values) != 1 || err != nil {
			return
		}
		list, ok := spec.Values[0].(*ast.CompositeLit)
		if !ok || !isSetups(list.Type) {
			return
		}
		t := &table{name: spec.Names[0].Name}
		for _, e := range list.Elts {
			var one row
			if one, err = r.row(e.(*ast.CompositeLit)); err != nil {
				err = fmt.Errorf("%s: %w", r.files.Position(e.Pos()), err)
				return
			}
			if one.provider != "" {
				t.rows = append(t.rows, one)
			}
		}
		slices.SortStableFunc(t.rows, func(a, b row) int { return strings.Compare(strings.ToLower(a.provider), strings.ToLower(b.provider)) })
		r.tables[t.name] = t
	})
	return err
}

func isSetups(e ast.Expr) bool {
	list, ok := e.(*ast.ArrayType)
	if !ok {
		return false
	}
	name, ok := list.Elt.(*ast.Ident)
	return ok && name.Name == "setup"
}

func (r *reader) row(lit *ast.CompositeLit) (one row, err error) {
	for _, e := range lit.Elts {
		field := e.(*ast.KeyValueExpr)
		text, _ := r.text(field.Value)
		switch field.Key.(*ast.Ident).Name {
		case "provider":
			one.provider = text
		case "kind":
			one.kind = text
		case "about":
			one.about = text
		case "source":
			one.source = text
		case "refused":
			if one.refused, err = r.code(field.Value); err == nil {
				one.refused = r.reasons[strings.TrimPrefix(one.refused, "reason.")]
			}
		case "config":
			one.config, err = r.config(field.Value)
		}
		if err != nil {
			return one, err
		}
	}
	return one, nil
}

// config returns what a user writes: lines before the configuration, then its fields.
func (r *reader) config(e ast.Expr) (lines []string, err error) {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil, nil // a shared configuration of the odd set-ups, which are not on the page
	}
	var fields []string
	for _, e := range lit.Elts {
		field := e.(*ast.KeyValueExpr)
		before, value, err := r.value(field.Value)
		if err != nil {
			return nil, err
		}
		lines = append(lines, before...)
		fields = append(fields, field.Key.(*ast.Ident).Name+": "+value)
	}
	return append(lines, strings.Join(fields, ", ")), nil
}

// value writes a field without the helpers of the tests.
func (r *reader) value(e ast.Expr) (before []string, value string, err error) {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		value, err = r.code(e)
		return nil, value, err
	}
	switch name, _ := call.Fun.(*ast.Ident); {
	case name == nil:
		value, err = r.code(e)
		return nil, value, err
	case name.Name == "must":
		value, err = r.code(call.Args[0])
		return []string{"tenants, err := " + value}, "tenants", err
	case name.Name == "issuers":
		before, value, err = r.value(call.Args[0])
		return before, "[]verifier.Issuer{" + value + "}", err
	case name.Name == "change":
		if value, err = r.code(call.Args[0]); err != nil {
			return nil, "", err
		}
		before = []string{"i := " + value}
		for _, statement := range call.Args[1].(*ast.FuncLit).Body.List {
			line, err := r.code(statement)
			if err != nil {
				return nil, "", err
			}
			before = append(before, line)
		}
		return before, "i", nil
	default:
		value, err = r.code(e)
		return nil, value, err
	}
}

// code writes a piece of source in one line, with texts in place of their names.
func (r *reader) code(node any) (string, error) {
	var b bytes.Buffer
	if err := format.Node(&b, r.files, node); err != nil {
		return "", err
	}
	// Elements of a literal in several lines end with commas; in one line the last does
	// not.
	var line strings.Builder
	for part := range strings.Lines(b.String()) {
		part = strings.TrimSpace(part)
		if opens := strings.HasSuffix(line.String(), "{") || strings.HasSuffix(line.String(), "("); line.Len() > 0 && !opens && !strings.HasPrefix(part, "}") {
			line.WriteByte(' ')
		}
		line.WriteString(part)
	}
	text := strings.NewReplacer(",}", "}", "{ ", "{", " }", "}").Replace(line.String())
	for name, value := range r.texts {
		text = replaceName(text, name, strconv.Quote(value))
	}
	return strings.Join(strings.Fields(text), " "), nil
}

// replaceName replaces an identifier that is a value by itself.
func replaceName(text, name, with string) string {
	for _, around := range [][2]string{{"(", ")"}, {"(", ","}, {" ", ")"}, {" ", ","}, {" ", "}"}, {"{", "}"}, {"{", ","}} {
		text = strings.ReplaceAll(text, around[0]+name+around[1], around[0]+with+around[1])
	}
	if text == name {
		return with
	}
	return text
}

const preface = `# Your provider, your configuration

Find your provider, copy its line into the program below, and put your own names in the place of the ones here: ` + "`shop`" + `, ` + "`orders`" + `, the
IDs. Each line is the configuration that the tests verify a token of that provider's shape with; this page is written from them by
` + "`make generate`" + `, and ` + "`make test`" + ` fails when it is out of date. The shapes come from the sources in the last column. No provider was asked.

` + "```go" + `
package main

import (
	"log"
	"net/http"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

func main() {
	v, err := verifier.New(verifier.Config{
		Audience: "orders", Issuers: []verifier.Issuer{providers.Keycloak("https://sso.shop.example", "Shop")}, // your provider's line
	})
	if err != nil {
		log.Fatal(err) // names the field, the value and the remedy
	}
	defer v.Close()
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		_, _ = w.Write([]byte("orders of " + token.Subject))
	})
	http.Handle("GET /orders", verifier.Middleware(v, verifier.MiddlewareConfig{})(orders))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
` + "```" + `

- **Audience** is what your API is called at the provider: the value of ` + "`aud`" + ` in its tokens. A line without one takes it from the function's arguments,
  or is for tokens that have none.
- **No aud**: where the line names clients, origins or tenants, a claim takes the place of ` + "`aud`" + `, and every API that does the same accepts the
  token. Ask the provider for an audience if you can.
- **A name alone** (` + "`Domain`" + `) is enough where the provider keeps to the standards. One that is not on this page: try its issuer as ` + "`Domain`" + ` first.
- **Several providers** are several entries of ` + "`Issuers`" + `: see [several issuers](multiple-domains.md).
- **A token is refused**: ` + "`go run ./examples/inspect -provider NAME -issuer ISS -audience AUD < token.txt`" + ` says at which step, and what would let it in.
  See [troubleshooting](troubleshooting.md).
- **On your own machine**, over http or with two names of one server: [local development](local-development.md).

The comment of each function in package ` + "`providers`" + ` says what it lets in. What it returns is a plain value: change a field where your set-up differs.
`

const after = `
COUNT providers and products are listed. ` + "`tenants`" + ` is a resolver that takes the place of ` + "`Issuers`" + `; ` + "`allowed`" + ` is your function that says which tenants may use
the API. ` + "`withToken`" + ` is a ` + "`verifier.Doer`" + ` of yours that adds credentials, ` + "`introspector`" + ` a ` + "`verifier.Introspector`" + `, ` + "`ownKey`" + ` your private key.

## In a test

A fake issuer signs tokens of your provider's shape. The keys are handed over, so nothing is fetched: ` + "`Keys`" + ` and ` + "`Doer`" + ` of the issuer are what a test
changes; for a line with Domain, make it an issuer with that Name. Where the page says ES256, make the fake with ` + "`verifiertest.WithAlgorithm(\"ES256\")`" + `;
` + "`fake.SignWith(header, fake.Claims(audience, claims))`" + ` gives a token another ` + "`typ`" + `. A claim that is missing is named by the error; a client or azp that
is not among those of the line is "for another audience".

` + "```go test" + `
package orders

import (
	"testing"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func TestTokensOfCognito(t *testing.T) {
	fake := verifiertest.NewIssuer(t)
	issuer := providers.Cognito("eu-west-1", "eu-west-1_AbCdEf123", "app-client")
	issuer.Keys, issuer.Doer = verifier.KeysStatic(fake.JWKS()), nil
	v, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token := fake.Sign("", map[string]any{ // nil removes a claim
		"iss": issuer.Name, "aud": nil, "client_id": "app-client", "token_use": "access", "cognito:groups": []string{"clerks"},
	})
	verified, err := v.VerifyAccessToken(t.Context(), token)
	if err != nil || !verified.HasPermission("clerks") {
		t.Errorf("VerifyAccessToken = %v, %v; want a token of a clerk", verified, err)
	}
}
` + "```" + `

## Tokens in a header of their own

Google IAP and Cloudflare Access do not use the Authorization header:

` + "```go" + `
package main

import (
	"net/http"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

func protect(orders http.Handler) (http.Handler, error) {
	v, err := verifier.New(verifier.Config{Issuers: []verifier.Issuer{
		providers.CloudflareAccess("shop.cloudflareaccess.com", "4714c1358e65fe4b"),
	}})
	if err != nil {
		return nil, err
	}
	source := verifier.TokenSource{Header: "Cf-Access-Jwt-Assertion"} // Google IAP: X-Goog-IAP-JWT-Assertion
	return verifier.Middleware(v, verifier.MiddlewareConfig{Source: source})(orders), nil
}
` + "```" + `

## Many tenants of Microsoft Entra ID

` + "`allowed`" + ` is asked for every token, and must be quick: a map or a cache, not a database. A tenant that it refuses costs no fetch, and all tenants
together cost one metadata document and one key set.

` + "```go" + `
package main

import (
	"context"

	"github.com/portcullis-go/portcullis/providers"
	"github.com/portcullis-go/portcullis/verifier"
)

func newVerifier(customers map[string]bool) (*verifier.Verifier, error) {
	tenants, err := providers.EntraTenants(func(_ context.Context, tenant string) (bool, error) {
		return customers[tenant], nil
	})
	if err != nil {
		return nil, err
	}
	return verifier.New(verifier.Config{Audience: "6731de76-14a6-49ae-97bc-6eba6914391e", Domains: tenants})
}
` + "```" + `
`

// document is the whole page.
func document(folder string) ([]byte, error) {
	r, err := read(folder)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(preface)
	names := make(map[string]bool)
	for _, section := range order {
		t := r.tables[section.name]
		if t == nil || len(t.rows) == 0 {
			return nil, fmt.Errorf("no set-ups are called %s", section.name)
		}
		fmt.Fprintf(&b, "\n## %s\n\n| provider | configuration | what is special | source |\n|---|---|---|---|\n", section.heading)
		for _, one := range t.rows {
			names[one.provider] = true
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", one.title(), one.cell(), escape(one.about), escape(one.source))
		}
	}
	b.WriteString(strings.Replace(after, "COUNT", strconv.Itoa(len(names)), 1))
	if extra := slices.DeleteFunc(slices.Sorted(maps.Keys(r.tables)), known); len(extra) > 0 {
		for _, name := range extra {
			if len(r.tables[name].rows) > 0 {
				return nil, fmt.Errorf("the set-ups %s have no section", name)
			}
		}
	}
	return b.Bytes(), nil
}

func known(name string) bool {
	for _, section := range order {
		if section.name == name {
			return true
		}
	}
	return false
}

func (r row) title() string {
	if r.kind == "" {
		return "**" + escape(r.provider) + "**"
	}
	return "**" + escape(r.provider) + "**, " + escape(r.kind)
}

func (r row) cell() string {
	var lines []string
	for _, line := range r.config {
		lines = append(lines, "`"+escape(line)+"`")
	}
	text := strings.Join(lines, "<br>")
	if r.refused != "" {
		text += "<br>refused: `" + r.refused + "`"
	}
	return text
}

func escape(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
