package wal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"squall/nodeimage/raft"
)

// A snapshot file is: magic (8), length of the description (4), the
// description, its checksum (4), and the state machine's data.
const (
	snapshotMagic   = "SQLSNAP\x01"
	snapshotTemp    = "snapshot.tmp"
	installTemp     = "install.tmp"
	maxDescription  = 64 << 10
	snapshotFixed   = len(snapshotMagic) + 4
	snapshotTrailer = 4
)

func encodeDescription(meta *raft.SnapshotMeta) []byte {
	d := raft.AppendSnapshotMeta(nil, meta)
	b := append([]byte(nil), snapshotMagic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(d)))
	b = append(b, d...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// readDescription reads a snapshot file's head and returns where its data begins.
func readDescription(r io.ReaderAt) (meta *raft.SnapshotMeta, dataAt int64, err error) {
	fixed := make([]byte, snapshotFixed)
	if _, err := r.ReadAt(fixed, 0); err != nil {
		return nil, 0, errors.New("the head ends early")
	}
	n := binary.LittleEndian.Uint32(fixed[len(snapshotMagic):])
	if string(fixed[:len(snapshotMagic)]) != snapshotMagic || n > maxDescription {
		return nil, 0, errors.New("this is not a snapshot, or one of another version")
	}
	whole := make([]byte, snapshotFixed+int(n)+snapshotTrailer)
	if _, err := r.ReadAt(whole, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, errors.New("the head ends early")
	}
	body := whole[:len(whole)-snapshotTrailer]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(whole[len(body):]) {
		return nil, 0, errors.New("the head's checksum is wrong")
	}
	d := raft.NewDecoder(body[snapshotFixed:])
	meta = d.SnapshotMeta()
	return meta, int64(len(whole)), d.Close()
}

// newestSnapshot finds the newest snapshot and checks all of it.
func (l *Log) newestSnapshot() (*raft.SnapshotMeta, error) {
	indexes, err := l.numbered(snapshotSuffix)
	if err != nil || len(indexes) == 0 {
		return nil, err
	}
	index := indexes[len(indexes)-1]
	path := l.snapshotPath(index)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("wal: open the snapshot: %w", err)
	}
	defer f.Close()
	meta, dataAt, err := readDescription(f)
	if err != nil {
		return nil, &CorruptError{File: path, Reason: err.Error()}
	}
	if meta.Index != index {
		return nil, &CorruptError{File: path, Reason: fmt.Sprintf("this is the snapshot at %d", meta.Index)}
	}
	sum := crc32.New(castagnoli())
	size, err := io.Copy(sum, io.NewSectionReader(f, dataAt, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("wal: read the snapshot: %w", err)
	}
	if uint64(size) != meta.Size || sum.Sum32() != meta.CRC {
		return nil, &CorruptError{File: path, Offset: dataAt, Reason: "the data's size or checksum is wrong"}
	}
	return meta, nil
}

// countingSum is the checksum and length of what is written through it.
type countingSum struct {
	w    io.Writer
	sum  hash.Hash32
	size uint64
}

func (c *countingSum) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.sum.Write(p[:n])
	c.size += uint64(n)
	return n, err
}

// SaveSnapshot stores the snapshot that write produces.
func (l *Log) SaveSnapshot(meta raft.SnapshotMeta, write func(io.Writer) error) (raft.SnapshotMeta, error) {
	f, err := os.Create(filepath.Join(l.dir, snapshotTemp))
	if err != nil {
		return meta, fmt.Errorf("wal: begin a snapshot: %w", err)
	}
	defer f.Close()
	// The head is written again when size and checksum are known; its length
	// does not depend on them.
	head := encodeDescription(&meta)
	if _, err := f.Write(head); err != nil {
		return meta, fmt.Errorf("wal: begin a snapshot: %w", err)
	}
	buffered := bufio.NewWriterSize(f, 256<<10)
	counted := &countingSum{w: buffered, sum: crc32.New(castagnoli())}
	if err := write(counted); err != nil {
		return meta, fmt.Errorf("wal: write a snapshot: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return meta, fmt.Errorf("wal: write a snapshot: %w", err)
	}
	meta.Size, meta.CRC = counted.size, counted.sum.Sum32()
	return meta, l.finishSnapshot(f, &meta)
}

// finishSnapshot gives a complete snapshot its head and its name. The name
// comes last: a file that has it is whole.
func (l *Log) finishSnapshot(f *os.File, meta *raft.SnapshotMeta) error {
	_, err := f.WriteAt(encodeDescription(meta), 0)
	if err == nil {
		err = l.opts.sync(f)
	}
	if err == nil {
		err = os.Rename(f.Name(), l.snapshotPath(meta.Index))
	}
	if err == nil {
		err = l.syncDir(l.dir)
	}
	if err != nil {
		return fmt.Errorf("wal: finish a snapshot: %w", err)
	}
	return nil
}

// OpenSnapshot opens the data of the stored snapshot at index.
func (l *Log) OpenSnapshot(index uint64) (raft.SnapshotData, error) {
	path := l.snapshotPath(index)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("wal: open a snapshot: %w", err)
	}
	meta, dataAt, err := readDescription(f)
	if err != nil {
		f.Close()
		return nil, &CorruptError{File: path, Reason: err.Error()}
	}
	return &snapshotData{SectionReader: io.NewSectionReader(f, dataAt, int64(meta.Size)), f: f}, nil
}

type snapshotData struct {
	*io.SectionReader
	f *os.File
}

func (s *snapshotData) Close() error { return s.f.Close() }

// chunkFile is the snapshot that is being received.
type chunkFile struct {
	f    *os.File
	head int64
	size uint64
	sum  hash.Hash32
}

func (c *chunkFile) discard() {
	if c.f != nil {
		c.f.Close()
		os.Remove(c.f.Name()) // else the next Open does
	}
	*c = chunkFile{}
}

// WriteChunk stores a piece of a snapshot that is being received.
func (l *Log) WriteChunk(meta raft.SnapshotMeta, offset uint64, data []byte) error {
	c := &l.chunks
	if offset == 0 {
		c.discard()
		f, err := os.Create(filepath.Join(l.dir, installTemp))
		if err != nil {
			return fmt.Errorf("wal: begin to receive a snapshot: %w", err)
		}
		*c = chunkFile{f: f, head: int64(len(encodeDescription(&meta))), sum: crc32.New(castagnoli())}
	}
	if c.f == nil || offset != c.size {
		return raft.ErrSnapshotMismatch
	}
	if _, err := c.f.WriteAt(data, c.head+int64(offset)); err != nil {
		return fmt.Errorf("wal: receive a snapshot: %w", err)
	}
	c.sum.Write(data)
	c.size += uint64(len(data))
	return nil
}

// FinishInstall turns the chunks written into a stored snapshot.
func (l *Log) FinishInstall(meta raft.SnapshotMeta) error {
	c := &l.chunks
	defer c.discard()
	if c.f == nil || c.size != meta.Size || c.sum.Sum32() != meta.CRC {
		return raft.ErrSnapshotMismatch
	}
	return l.finishSnapshot(c.f, &meta)
}

// PurgeSnapshots removes stored snapshots older than the newest one, but for
// those at the indexes in keep.
func (l *Log) PurgeSnapshots(keep []uint64) error {
	indexes, err := l.numbered(snapshotSuffix)
	if err != nil || len(indexes) == 0 {
		return err
	}
	for _, index := range indexes[:len(indexes)-1] {
		if slices.Contains(keep, index) {
			continue
		}
		if err := os.Remove(l.snapshotPath(index)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("wal: remove an old snapshot: %w", err)
		}
	}
	return nil
}

func (l *Log) snapshotPath(index uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%016x%s", index, snapshotSuffix))
}
