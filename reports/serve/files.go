package serve

import (
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"squall/internal/number"
	"squall/internal/regular"
	"squall/reports"
)

// kind is how a file is answered.
type kind struct {
	contentType string
	policy      string
	download    bool
}

// kindOf goes by the name alone. What is not known is not shown but saved.
func kindOf(name string) kind {
	switch {
	case name == reports.ReportFile, name == reports.TimelineFile, name == reports.IndexFile, name == reports.TrendsFile, name == reports.CrashFile,
		strings.HasPrefix(name, "violation-") && strings.HasSuffix(name, ".html"):
		return kind{contentType: "text/html; charset=utf-8", policy: pagePolicy}
	}
	switch path.Ext(name) {
	case ".png":
		return kind{contentType: "image/png", policy: filePolicy}
	case ".svg":
		return kind{contentType: "image/svg+xml", policy: filePolicy}
	case ".json", ".txt", ".log", ".md", ".yaml", ".yml", ".xml", ".csv":
		return kind{contentType: "text/plain; charset=utf-8", policy: filePolicy}
	}
	return kind{contentType: "application/octet-stream", policy: filePolicy, download: true}
}

// inFolder is a path below the folder of runs, as os.Root takes it; false for
// what is hidden.
func inFolder(p string) (string, bool) {
	p = strings.Trim(p, "/")
	if p == "" {
		return ".", true
	}
	for part := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(part, ".") {
			return "", false
		}
	}
	return p, fs.ValidPath(p)
}

// link is the address of something below one of the server's own folders.
func link(parts ...string) string { return (&url.URL{Path: "/" + path.Join(parts...)}).EscapedPath() }

// file answers a file of a run, or the list of a folder.
func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	name, ok := inFolder(r.PathValue("path"))
	if !ok {
		notFound(w, r, fs.ErrNotExist)
		return
	}
	if name == "." {
		http.Redirect(w, r, "/", http.StatusFound)
		return
	}
	info, err := s.root.Stat(name) // before it is opened: that of a pipe would wait
	if err != nil {
		notFound(w, r, err)
		return
	}
	slash := strings.HasSuffix(r.URL.Path, "/")
	switch {
	case info.IsDir() && !slash:
		http.Redirect(w, r, link("runs", name)+"/", http.StatusFound)
	case info.IsDir():
		s.folder(w, r, name)
	case slash || !info.Mode().IsRegular():
		notFound(w, r, fs.ErrNotExist)
	default:
		s.content(w, r, name)
	}
}

func (s *Server) content(w http.ResponseWriter, r *http.Request, name string) {
	f, err := regular.OpenIn(s.root, name)
	if err != nil {
		notFound(w, r, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		notFound(w, r, errors.Join(err, fs.ErrNotExist))
		return
	}
	k := kindOf(path.Base(name))
	h := w.Header()
	h.Set("Content-Type", k.contentType)
	h.Set("Content-Security-Policy", k.policy)
	if k.download {
		h.Set("Content-Disposition", attachment(path.Base(name)))
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// attachment is the header that has a browser save a file under a name.
func attachment(name string) string {
	if v := mime.FormatMediaType("attachment", map[string]string{"filename": name}); v != "" {
		return v
	}
	return "attachment"
}

// notFound says no more than that something is not there, or not within reach.
func notFound(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, fs.ErrPermission) {
		refuse(w, r, http.StatusForbidden, "squall may not read this file")
		return
	}
	refuse(w, r, http.StatusNotFound, "there is nothing of that name in the folder of runs")
}

// entry is one line of the list of a folder.
type entry struct {
	Name, Href, Size, Changed string
	Folder                    bool
}

// maxEntries bounds the list of a folder.
const maxEntries = 5000

// folder lists a folder: squall's own page, with names as text.
func (s *Server) folder(w http.ResponseWriter, r *http.Request, name string) {
	entries, err := fs.ReadDir(s.root.FS(), name)
	if err != nil {
		notFound(w, r, err)
		return
	}
	page := folderPage{Name: name, Zip: zipLink(s.root.FS(), name), Base: base{Title: name}}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || strings.HasPrefix(e.Name(), ".") || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		if page.Left = len(entries) - maxEntries; len(page.Entries) >= maxEntries {
			break
		}
		line := entry{Name: harmless(e.Name(), 255), Href: link("runs", name, e.Name()), Folder: e.IsDir(), Changed: info.ModTime().UTC().Format(time.DateTime)}
		if line.Folder {
			line.Href += "/"
		} else {
			line.Size = number.Bytes(info.Size())
		}
		page.Entries = append(page.Entries, line)
	}
	show(w, r, "folder", page)
}

type folderPage struct {
	Base      base
	Name, Zip string
	Entries   []entry
	Left      int // entries that are not shown
}

// isFile reports whether there is a regular file of that name.
func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// real follows the one link that squall itself makes in the folder of runs, so
// that a run has one name.
func (s *Server) real(name string) string {
	first, rest, _ := strings.Cut(name, "/")
	if first != latestLink {
		return name
	}
	target, err := s.root.Readlink(latestLink)
	if err != nil {
		return name
	}
	if target = path.Join(strings.ReplaceAll(target, string(os.PathSeparator), "/"), rest); !fs.ValidPath(target) {
		return name
	}
	return target
}

// latestLink points at the newest run.
const latestLink = "latest"
