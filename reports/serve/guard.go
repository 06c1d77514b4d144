package serve

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// ownPolicy is that of squall's own pages: scripts, styles and requests from
// here alone, nothing inline.
const ownPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// pagePolicy is that of the pages in a run directory, which carry their scripts,
// styles and pictures within themselves. In the sandbox a page has an origin of
// its own: it can run what it holds, and reach neither other runs nor the network.
const pagePolicy = "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
	"img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// filePolicy is that of all other files: a picture may be drawn, nothing runs.
const filePolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// secure sets what every answer carries.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
}

// refusedPage is what a person sees instead of a page.
type refusedPage struct {
	Base base
	Why  string
}

// refuse says why there is nothing to see: to a browser as a page that leads on, to
// others as a line.
func refuse(w http.ResponseWriter, r *http.Request, code int, why string) {
	var page bytes.Buffer
	if !strings.Contains(r.Header.Get("Accept"), "text/html") || templates.ExecuteTemplate(&page, "refused.html.tmpl", refusedPage{base{http.StatusText(code)}, why}) != nil {
		http.Error(w, why, code)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", ownPolicy)
	w.WriteHeader(code)
	_, _ = w.Write(page.Bytes()) // who has gone needs no answer
}

// knows reports whether a request is for a name that squall serves under. A page
// of elsewhere can have its own name resolve to this machine and so read from it
// as if it were the same place; it cannot have an address for a name.
func (s *Server) knows(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if host == "localhost" || host == s.host && host != "" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return addr.Unmap().IsLoopback() || !Loopback(s.host)
}

// Loopback reports whether a host is reached from this machine alone.
func Loopback(host string) bool {
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// plain refuses paths that could mean something else to somebody on the way:
// steps up, separators in disguise, control characters. os.Root would not let
// them out of the folder either.
func plainURL(u *url.URL) bool {
	if !strings.HasPrefix(u.Path, "/") || strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	if raw := strings.ToLower(u.RawPath); strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c") {
		return false
	}
	clean := path.Clean(u.Path)
	if clean != "/" && strings.HasSuffix(u.Path, "/") {
		clean += "/"
	}
	return clean == u.Path
}
