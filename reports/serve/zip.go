package serve

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"squall/history"
	"squall/history/ledger"
	"squall/internal/regular"
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
		refuse(w, http.StatusNotFound, "there is no run and no campaign of that name in the folder of runs")
		return
	}
	select {
	case s.zips <- struct{}{}:
		defer func() { <-s.zips }()
	default:
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "enough zips are being packed already: try again in a while")
		return
	}
	name = s.real(name)
	folder := path.Base(path.Dir(name)) + "-" + path.Base(name)
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", attachment(folder+".zip"))
	if r.Method == http.MethodHead {
		return
	}
	packer := zip.NewWriter(w)
	err := fs.WalkDir(s.root.FS(), name, func(file string, e fs.DirEntry, err error) error {
		if err := r.Context().Err(); err != nil {
			return err
		}
		if err != nil || !e.Type().IsRegular() || passing(e.Name()) {
			return nil // what went while it was packed is not in it
		}
		return s.pack(packer, file, folder+strings.TrimPrefix(file, name))
	})
	if errors.Join(err, packer.Close()) != nil {
		panic(http.ErrAbortHandler) // what was sent must not look whole
	}
}

// passing are files that are there for a while only.
func passing(name string) bool {
	return name == history.HoldName || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".new") ||
		strings.Contains(name, `\`) // a name that another system would take for a path
}

// pack adds a file as long as it is now. An error is one of the connection, or of
// a file of which a part was sent.
func (s *Server) pack(packer *zip.Writer, file, as string) error {
	f, err := regular.OpenIn(s.root, file)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	header := &zip.FileHeader{Name: as, Modified: info.ModTime(), Method: zip.Deflate}
	switch path.Ext(file) {
	case ".zst", ".png", ".zip", ".gz":
		header.Method = zip.Store
	}
	out, err := packer.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(f, info.Size()))
	return err
}
