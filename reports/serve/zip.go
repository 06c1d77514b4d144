package serve

import (
	"io/fs"
	"net/http"
	"path"

	"squall/history/ledger"
	"squall/reports/archive"
)

// zipLink is where the zip of a folder is; "" for a folder that is neither a run
// nor a campaign.
func zipLink(fsys fs.FS, name string) string {
	if !isRun(fsys, name) && !isFile(fsys, path.Join(name, ledger.FileName)) {
		return ""
	}
	return link("zip", name)
}

// zip packs a run or a campaign while it is sent: nothing is kept, and a run may
// go on meanwhile.
func (s *Server) zip(w http.ResponseWriter, r *http.Request) {
	name, ok := inFolder(r.PathValue("path"))
	if !ok || zipLink(s.root.FS(), s.real(name)) == "" {
		refuse(w, r, http.StatusNotFound, "there is no run and no campaign of that name in the folder of runs")
		return
	}
	select {
	case s.zips <- struct{}{}:
		defer func() { <-s.zips }()
	default:
		w.Header().Set("Retry-After", "10")
		refuse(w, r, http.StatusServiceUnavailable, "enough zips are being packed already: try again in a while")
		return
	}
	name = s.real(name)
	folder := archive.Name(name)
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", attachment(folder+".zip"))
	if r.Method == http.MethodHead {
		return
	}
	if archive.Pack(r.Context(), w, s.root, name, folder) != nil {
		panic(http.ErrAbortHandler) // what was sent must not look whole
	}
}
