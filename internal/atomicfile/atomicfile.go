// Package atomicfile replaces files in one step: whoever reads one finds the old
// content or the new one, and never a part, also after a power cut.
package atomicfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes data the content of the file at path, with these permissions. The
// data is on the disk before the file is replaced. When it fails, the file is as it
// was, and nothing is left beside it. A kill can leave a file whose name begins with
// a dot and the file's own name.
func Write(path string, data []byte, mode fs.FileMode) error {
	return Stream(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Stream is Write of what write writes, piece by piece.
func Stream(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := fill(f, write, mode); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// WriteJSON is Write of a value as JSON, indented, for all to read.
func WriteJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, append(text, '\n'), 0o644)
}

// syncFolder has the rename on the disk too, where folders can be synced.
func syncFolder(dir string) {
	if folder, err := os.Open(dir); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
}

// fill writes the file and closes it, whatever comes of it.
func fill(f *os.File, write func(io.Writer) error, mode fs.FileMode) error {
	err := write(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if errors.Is(err, errors.ErrUnsupported) { // Windows has no such permissions
		err = nil
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
