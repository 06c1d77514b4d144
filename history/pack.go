package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// pack rewrites the history at path into frames of a good size, at a better
// level.
func pack(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("pack the history: %w", err)
	}
	defer in.Close()
	temp := path + ".tmp"
	out, err := os.Create(temp)
	if err != nil {
		return fmt.Errorf("pack the history: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("pack the history: %w", err), out.Close(), os.Remove(temp))
		}
	}()
	if err := repack(in, out); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("pack the history: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // packed already; only the rename is not yet on disk
	}
	defer dir.Close()
	_ = dir.Sync()
	return nil
}

func repack(in io.Reader, out io.Writer) error {
	frames, err := newFrameReader(in)
	if err != nil {
		return err
	}
	defer frames.close()
	header, err := frames.next()
	if err != nil {
		return err
	}
	enc, err := newEncoder(zstd.SpeedBetterCompression)
	if err != nil {
		return err
	}
	defer enc.Close()
	frames.numbers = &numbering{history: headerSum(header)}
	number := tag{kind: tagFrame, history: headerSum(header)}
	var plain, packed []byte
	write := func() error {
		if len(plain) == 0 {
			return nil
		}
		number.number++
		number.lines = countLines(plain)
		packed = enc.EncodeAll(plain, number.append(packed[:0]))
		plain = plain[:0]
		_, err := out.Write(packed)
		return err
	}
	if _, err := out.Write(enc.EncodeAll(header, nil)); err != nil {
		return err
	}
	for {
		lines, err := frames.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		plain = append(plain, lines...)
		if len(plain) >= frameAt {
			if err := write(); err != nil {
				return err
			}
		}
	}
	if err := write(); err != nil {
		return err
	}
	if !frames.numbers.ended {
		return errors.New("the history has no end")
	}
	end := number
	end.kind, end.lines = tagEnd, frames.numbers.lines
	_, err = out.Write(end.append(packed[:0]))
	return err
}
