package custom

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// httpCall is an HTTPCall that was made ready.
type httpCall struct {
	method      string
	path, query template
	asks        bool // it has a query
	headers     map[string]template
	contentType string
	body        template
	json        *jsonTemplate
	form        map[string]template

	done, absent, refused, fail matches
	value, found                place
	tellsFound                  bool
}

// defaultDone are the statuses of an answer that means that it was done.
func defaultDone() Matches { return Matches{{Status: Statuses{"200", "201", "204"}}} }

// newHTTPCall makes a call ready, with variables of these names. wrong takes each
// mistake, with the key where it is.
func newHTTPCall(c *HTTPCall, headers map[string]string, names []string, wrong func(err error, key ...string)) *httpCall {
	made := &httpCall{headers: map[string]template{}, tellsFound: c.Found != nil}
	made.request(c.Request, names, wrong)
	made.takeHeaders(headers, names, func(err error, key ...string) { wrong(err, append([]string{"..", "..", "headers"}, key...)...) })
	made.takeHeaders(c.Headers, names, func(err error, key ...string) { wrong(err, append([]string{"headers"}, key...)...) })
	made.takeBody(c, names, wrong)
	done := c.Done
	if len(done) == 0 {
		done = defaultDone()
	}
	for _, of := range []struct {
		key  string
		from Matches
		to   *matches
	}{{"done", done, &made.done}, {"absent", c.Absent, &made.absent}, {"refused", c.Refused, &made.refused}, {"fail", c.Fail, &made.fail}} {
		var err error
		if *of.to, err = newMatches(of.from); err != nil {
			wrong(err, of.key)
		}
		for _, m := range of.from {
			if err := m.Status.check(); err != nil {
				wrong(err, of.key)
			}
		}
	}
	for _, of := range []struct {
		key  string
		from *Place
		to   *place
	}{{"value", c.Value, &made.value}, {"found", c.Found, &made.found}} {
		if of.from == nil {
			continue
		}
		var err error
		if *of.to, err = newPlace(*of.from); err != nil {
			wrong(err, of.key)
		}
	}
	return made
}

// request reads "PUT /v1/${key}?if=${expect}".
func (c *httpCall) request(text string, names []string, wrong func(err error, key ...string)) {
	method, target, _ := strings.Cut(strings.TrimSpace(text), " ")
	target = strings.TrimSpace(target)
	methods := []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch, http.MethodHead, http.MethodOptions}
	switch {
	case text == "":
		wrong(fmt.Errorf("the request is missing: write method and path, such as GET /${key}"), "request")
		return
	case !slices.Contains(methods, method):
		wrong(fmt.Errorf("%q is no method of HTTP; the request is written with one of %s and a path, such as GET /${key}", cut(method), strings.Join(methods, ", ")), "request")
		return
	case !strings.HasPrefix(target, "/"):
		wrong(fmt.Errorf("the path must begin with /, found %q: the node and its port are known", cut(target)), "request")
		return
	case strings.ContainsAny(target, " \t\r\n#"):
		wrong(fmt.Errorf("the path holds a space or a #, which no path can: write %%20 or %%23"), "request")
		return
	}
	path, query, asks := strings.Cut(target, "?")
	var err error
	if c.path, err = parseTemplate(path, names); err == nil {
		c.query, err = parseTemplate(query, names)
	}
	if err != nil {
		wrong(err, "request")
		return
	}
	c.method, c.asks = method, asks
	if _, err := url.ParseRequestURI(c.target(vars{})); err != nil {
		wrong(fmt.Errorf("not a path: %w", err), "request")
	}
}

func (c *httpCall) target(v vars) string {
	target := c.path.expand(v, url.PathEscape)
	if c.asks {
		target += "?" + c.query.expand(v, url.QueryEscape)
	}
	return target
}

func (c *httpCall) takeHeaders(headers map[string]string, names []string, wrong func(err error, key ...string)) {
	for name, text := range headers {
		t, err := parseTemplate(text, names)
		switch {
		case err != nil:
			wrong(err, name)
		case !isToken(name):
			wrong(fmt.Errorf("%q is no name of a header", cut(name)), name)
		case strings.ContainsAny(text, "\r\n"):
			wrong(fmt.Errorf("a header is one line"), name)
		}
		c.headers[http.CanonicalHeaderKey(name)] = t
	}
}

func (c *httpCall) takeBody(from *HTTPCall, names []string, wrong func(err error, key ...string)) {
	given := 0
	for _, has := range []bool{from.Body != "", from.JSON != nil, from.Form != nil} {
		if has {
			given++
		}
	}
	if given > 1 {
		wrong(fmt.Errorf("there are several bodies: leave one of body, json and form"))
	}
	var err error
	switch {
	case from.Body != "":
		if c.body, err = parseTemplate(from.Body, names); err != nil {
			wrong(err, "body")
		}
	case from.JSON != nil:
		tree, err := parseJSONTemplate(from.JSON, names)
		if err != nil {
			wrong(err, "json")
		}
		c.json, c.contentType = &tree, "application/json"
	case from.Form != nil:
		c.form, c.contentType = map[string]template{}, "application/x-www-form-urlencoded"
		for field, text := range from.Form {
			if c.form[field], err = parseTemplate(text, names); err != nil {
				wrong(err, "form", field)
			}
		}
	}
}

// isToken reports whether a text can be the name of a header.
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// isFieldValue reports whether a text can be the value of a header: nothing in it ends
// the line.
func isFieldValue(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// make is the request with these variables, to that address.
func (c *httpCall) make(addr string, v vars) (*http.Request, error) {
	req, err := http.NewRequest(c.method, "http://"+addr+c.target(v), nil)
	if err != nil {
		return nil, err
	}
	body, err := c.bodyText(v)
	if err != nil {
		return nil, err
	}
	setBody(req, body)
	req.Header.Set("User-Agent", "squall")
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	for name, t := range c.headers {
		value := t.expand(v, nil)
		if !isFieldValue(value) {
			return nil, fmt.Errorf("the header %s cannot have the value %q", name, cut(value))
		}
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

func (c *httpCall) bodyText(v vars) (string, error) {
	switch {
	case c.json != nil:
		text, err := json.Marshal(c.json.expand(v))
		return string(text), err
	case c.form != nil:
		fields := url.Values{}
		for name, t := range c.form {
			fields.Set(name, t.expand(v, nil))
		}
		return fields.Encode(), nil
	}
	return c.body.expand(v, nil), nil
}

// setBody gives a request its body. It is sent as it is, with its length.
func setBody(req *http.Request, body string) {
	req.ContentLength = int64(len(body))
	if body == "" {
		req.Body = http.NoBody
		return
	}
	req.Body = io.NopCloser(strings.NewReader(body))
}
