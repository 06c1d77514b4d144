package nodeimage

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"squall/nodeimage/files"
	"squall/nodeimage/programs"
)

// RootFS writes the file system of a machine's image as a tar archive: the
// program, directories to write to, and the files of the set, which may be nil.
// The same content makes the same bytes. Nothing is held in memory whole.
func RootFS(w io.Writer, binary string, set *files.Set) error {
	t := tar.NewWriter(w)
	err := writeBase(t, binary)
	if err == nil {
		err = writeFiles(t, set.Files())
	}
	if err == nil {
		err = t.Close()
	}
	if err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	return nil
}

func writeBase(t *tar.Writer, binary string) error {
	f, err := os.Open(binary)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "data/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "squall-node", Mode: 0o755, Size: info.Size()},
	} {
		if err := writeHeader(t, h); err != nil {
			return err
		}
	}
	_, err = io.Copy(t, f)
	return err
}

func writeHeader(t *tar.Writer, h tar.Header) error {
	h.ModTime = time.Unix(0, 0)
	return t.WriteHeader(&h)
}

// writeFiles writes the files with the directories that they are in, whose modes
// are then not up to the engine.
func writeFiles(t *tar.Writer, list []files.Held) error {
	made := map[string]bool{"/": true}
	for _, f := range list {
		if err := writeDirs(t, path.Dir(f.Path), made); err != nil {
			return err
		}
		if err := writeFile(t, f); err != nil {
			return err
		}
	}
	return nil
}

func writeDirs(t *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	made[dir] = true
	if err := writeDirs(t, path.Dir(dir), made); err != nil {
		return err
	}
	return writeHeader(t, tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755})
}

func writeFile(t *tar.Writer, f files.Held) error {
	src, err := f.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	if err := writeHeader(t, tar.Header{Typeflag: tar.TypeReg, Name: f.Path[1:], Mode: int64(f.Mode()), Size: f.Size}); err != nil {
		return err
	}
	want, err := hex.DecodeString(f.Hash)
	if err != nil {
		return err
	}
	sum := sha256.New() // the image has the name of these contents
	if _, err := io.Copy(io.MultiWriter(t, sum), io.LimitReader(src, f.Size)); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want) {
		return f.Damaged()
	}
	return nil
}

// Files is where the files of machines are kept on this computer.
func Files() (files.Store, error) {
	cache, err := CacheDir()
	return files.Store{Dir: filepath.Join(cache, "files")}, err
}

// Programs builds what of these files is built of modules, and keeps it on this
// computer.
func Programs() (programs.Builder, error) {
	cache, err := CacheDir()
	return programs.Builder{Cache: cache}, err
}
