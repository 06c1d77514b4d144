package serve

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
	"time"

	"squall/reports"
)

//go:embed assets
var assets embed.FS

// templates escape whatever comes from a run for the place where it stands.
var templates = template.Must(template.ParseFS(assets, "assets/*.tmpl"))

// base is what every page shows.
type base struct{ Title string }

// show fills one of the templates.
func show(w http.ResponseWriter, r *http.Request, name string, data any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name+".html.tmpl", data); err != nil {
		refuse(w, r, http.StatusInternalServerError, "the page could not be made")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", ownPolicy)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page.Bytes()))
}

// asset answers the scripts and styles of the server's own pages.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	var text string
	switch name {
	case "base.css":
		text = reports.BaseStyle()
	case "uplot.css":
		text = reports.ChartStyle()
	case "uplot.js":
		text = reports.ChartScript()
	case "serve.css", "index.js", "live.js":
		own, err := assets.ReadFile("assets/" + name)
		if err != nil {
			notFound(w, r, err)
			return
		}
		text = string(own)
	default:
		refuse(w, r, http.StatusNotFound, "there is nothing of that name")
		return
	}
	contentType := "text/css; charset=utf-8"
	if path.Ext(name) == ".js" {
		contentType = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(text)))
}
