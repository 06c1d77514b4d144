package nodeimage

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"time"
)

// RootFS writes the file system of a machine's image as a tar archive: the
// program, and directories to write to. The same program makes the same bytes.
func RootFS(w io.Writer, binary string) error {
	f, err := os.Open(binary)
	if err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	t := tar.NewWriter(w)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "data/", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "squall-node", Mode: 0o755, Size: info.Size()},
	} {
		h.ModTime = time.Unix(0, 0)
		if err := t.WriteHeader(&h); err != nil {
			return fmt.Errorf("packing an image: %w", err)
		}
	}
	if _, err := io.Copy(t, f); err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("packing an image: %w", err)
	}
	return nil
}
