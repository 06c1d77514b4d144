// Package archive packs the folder of a run or a campaign into one zip file, in which all
// links between its pages and files hold.
package archive

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"squall/history"
	"squall/internal/regular"
)

// Name is what the archive of a folder is called, without its extension, and the folder
// within it. The folder is named by a path with slashes.
func Name(folder string) string {
	if above := path.Base(path.Dir(folder)); above != "." && above != "/" && above != ".." {
		return above + "-" + path.Base(folder)
	}
	return path.Base(folder)
}

// Pack writes a zip of a folder of root to w, under the name given, while it reads it: a
// run may go on meanwhile, and what goes while it is packed is not in it. The error is one
// of w, of a file of which a part was written, or of ctx: what was written is not whole then.
func Pack(ctx context.Context, w io.Writer, root *os.Root, folder, as string) error {
	packer := zip.NewWriter(w)
	err := fs.WalkDir(root.FS(), folder, func(file string, e fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil || !e.Type().IsRegular() || passing(e.Name()) {
			return nil
		}
		return pack(packer, root, file, as+"/"+strings.TrimPrefix(strings.TrimPrefix(file, folder), "/"))
	})
	return errors.Join(err, packer.Close())
}

// passing are files that are there for a while only.
func passing(name string) bool {
	return name == history.HoldName || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".new") ||
		strings.Contains(name, `\`) // a name that another system would take for a path
}

// pack adds a file as long as it is now.
func pack(packer *zip.Writer, root *os.Root, file, as string) error {
	f, err := regular.OpenIn(root, file)
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
