package reports

import (
	_ "embed" // the page's template and style sheet
	"fmt"
	"html/template"
	"io"
)

//go:embed assets/report.html.tmpl
var pageTemplate string

//go:embed assets/report.css
var styleSheet string

// render writes the page. html/template escapes whatever comes from a run for
// the place where it stands: keys, values, errors and names may hold anything.
func render(w io.Writer, p page) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(styleSheet) },
	}).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parse the template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("fill the template: %w", err)
	}
	return nil
}
