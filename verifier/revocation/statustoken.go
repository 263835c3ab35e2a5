package revocation

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portcullis-go/portcullis/internal/base64url"
	"github.com/portcullis-go/portcullis/internal/cachecontrol"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/jws"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/internal/keyset"
	"github.com/portcullis-go/portcullis/internal/lifecycle"
	"github.com/portcullis-go/portcullis/internal/strictjson"
)

// acceptStatus is the media type of a Status List Token (draft-ietf-oauth-status-list,
// Section 8.1).
const acceptStatus = "application/statuslist+jwt"

// statusList is a list that was verified.
type statusList struct {
	bits uint64
	data []byte
	exp  time.Time // or zero
}

func (l *statusList) ended(now time.Time) bool { return !l.exp.IsZero() && !now.Before(l.exp) }

// statusBits are the sizes of a status (Section 4.1), as JSON has them.
var statusBits = map[string]uint64{"1": 1, "2": 2, "4": 4, "8": 8}

// at returns a status: they are packed from the least significant bit of each byte
// on (Section 4.1).
func (l *statusList) at(index uint64) (status byte, ok bool) {
	perByte := 8 / l.bits
	if index/perByte >= uint64(len(l.data)) {
		return 0, false
	}
	return l.data[index/perByte] >> (index % perByte * l.bits) & byte(1<<l.bits-1), true
}

// statusDocument is the list at a URL, as the machinery that keeps documents
// current sees it.
type statusDocument struct {
	*statusIssuer
	uri string
}

var _ lifecycle.Document = (*statusDocument)(nil)

// Kind implements lifecycle.Document, like the methods below.
func (d *statusDocument) Kind() string { return "status_list" }

func (d *statusDocument) MayComeFrom(_ any, origin string) bool { return origin == d.uri }

// Private keeps lists out of a shared cache, from which they would have to be
// verified again.
func (d *statusDocument) Private() bool { return true }

// Fetch gets the list and verifies it.
func (d *statusDocument) Fetch(ctx context.Context, _ any, held lifecycle.Reference) (lifecycle.Answer, error) {
	r, err := fetch.Get(ctx, d.doer, fetch.Request{URL: d.uri, Accept: acceptStatus, ETag: held.ETag, HTTP: d.http})
	if err != nil {
		return lifecycle.Answer{}, err
	}
	answer := lifecycle.Answer{Body: r.Body, Origin: d.uri, ETag: r.ETag, NotModified: r.NotModified, Freshness: r.Freshness}
	if r.NotModified {
		return answer, nil
	}
	parsed, err := d.verify(ctx, strings.TrimSpace(string(r.Body)))
	if err != nil {
		return lifecycle.Answer{}, err
	}
	answer.Body = []byte(parsed.Payload)
	return answer, shorten(&answer.Freshness, parsed.Members)
}

// shorten lets the ttl of a list bound its freshness (Section 13.7).
func shorten(f *cachecontrol.Directives, members []strictjson.Member) error {
	value := strictjson.Find(members, "ttl")
	if value.Kind() == strictjson.Invalid {
		return nil
	}
	seconds, err := strconv.ParseFloat(value.Raw(), 64) // the Raw of a text is in quotes
	if err != nil || seconds <= 0 {
		return ErrStatusList
	}
	ttl := int64(min(seconds, 1<<31)) + f.Age
	if f.HasMaxAge {
		ttl = min(ttl, f.MaxAge)
	}
	f.HasMaxAge, f.MaxAge = true, ttl
	return nil
}

// verify checks type, algorithm and signature of a Status List Token (Section 8.3).
func (d *statusDocument) verify(ctx context.Context, compact string) (*jws.Token, error) {
	parsed, err := jws.Parse(compact, nil, nil)
	if err != nil || !isStatusType(parsed.Header.Type) {
		return nil, ErrStatusList
	}
	at := slices.IndexFunc(d.algorithms, func(a *keyset.Algorithm) bool { return a.Name == parsed.Header.Algorithm })
	if at < 0 {
		return nil, ErrStatusList
	}
	err = d.lists.keys.Entry(d.source).CheckSigned(ctx, d.lists.clock.Now(), "status list", d.algorithms[at], &parsed)
	switch {
	case errors.Is(err, keys.ErrSignature):
		return nil, ErrStatusList
	case err != nil:
		return nil, err
	default:
		return &parsed, nil
	}
}

func isStatusType(typ string) bool {
	typ = strings.ToLower(typ)
	return typ == "statuslist+jwt" || typ == acceptStatus
}

// Parse reads the claims of a list that was verified (Section 5.1).
func (d *statusDocument) Parse(body []byte, _ string) (any, error) {
	members, err := strictjson.Parse(string(body), nil)
	if err != nil {
		return nil, ErrStatusList
	}
	subject, _ := strictjson.Find(members, "sub").Text()
	iss := strictjson.Find(members, "iss")
	name, _ := iss.Text()
	_, hasTime := strictjson.Find(members, "iat").Time()
	if subject != d.uri || !hasTime || iss.Kind() != strictjson.Invalid && !slices.Contains(d.stated, name) {
		return nil, ErrStatusList
	}
	l := &statusList{}
	if exp := strictjson.Find(members, "exp"); exp.Kind() != strictjson.Invalid {
		end, ok := exp.Time()
		if l.exp = end; !ok || l.ended(d.lists.clock.Now()) {
			return nil, ErrStatusList
		}
	}
	list, ok := strictjson.Find(members, "status_list").Members(nil)
	if !ok {
		return nil, ErrStatusList
	}
	if l.bits, ok = statusBits[strictjson.Find(list, "bits").Raw()]; !ok {
		return nil, ErrStatusList
	}
	text, _ := strictjson.Find(list, "lst").Text()
	if l.data, err = inflate(text, d.maxSize); err != nil {
		return nil, ErrStatusList
	}
	return l, nil
}

var errTooLarge = errors.New("revocation: too large")

// inflate decompresses a list (Section 4.1), into a bounded size.
func inflate(text string, max int) ([]byte, error) {
	compressed, ok := base64url.Decode(nil, text)
	if !ok {
		return nil, ErrStatusList
	}
	source := bytes.NewReader(compressed)
	r, err := zlib.NewReader(source)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > max:
		return nil, errTooLarge
	case source.Len() > 0:
		return nil, ErrStatusList // something after the list
	}
	return slices.Clip(data), nil
}

// Failed describes why there is no list; the error is the cause.
func (d *statusDocument) Failed(_ any, err error) error { return err }

func (d *statusDocument) Same(a, b any) bool {
	x, y := a.(*statusList), b.(*statusList)
	return x.bits == y.bits && x.exp.Equal(y.exp) && bytes.Equal(x.data, y.data)
}

func (d *statusDocument) Size(value any) int { return 512 + len(value.(*statusList).data) }
