package boot

import (
	"io/fs"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// packer sends an image to an agent, in requests of bounded size.
type packer struct {
	send    func([]protocol.LayEntry) error
	entries []protocol.LayEntry
	size    int // of the entries, about, bytes
}

const (
	pieceBytes = 64 << 10
	entryBytes = 512 // that an entry takes beside its data, at least
)

// image sends all of an image.
func (p *packer) image(img *disk.Image) error {
	first := map[disk.Ino]string{}
	for i := range img.Entries {
		e := &img.Entries[i]
		to := protocol.LayEntry{Path: e.Path, Perm: uint32(e.Perm)}
		switch {
		case e.Type.IsDir():
			to.Dir = true
		case e.Type == fs.ModeSymlink:
			to.Target = e.Target
		case first[e.Node] != "":
			to.Same = first[e.Node]
		default:
			first[e.Node], to.Size = e.Path, e.Size
			if err := p.file(to, e); err != nil {
				return err
			}
			continue
		}
		if err := p.add(to, entryBytes+len(e.Path)+len(e.Target)); err != nil {
			return err
		}
	}
	return p.flush()
}

// file sends a file; of what is zero nothing is sent.
func (p *packer) file(to protocol.LayEntry, e *disk.Entry) error {
	if err := p.add(to, entryBytes+len(to.Path)); err != nil {
		return err
	}
	return e.Blocks(pieceBytes, func(at int64, data []byte) error {
		more := protocol.LayEntry{Path: to.Path, Again: true, Pieces: []protocol.LayPiece{{At: at, Data: data}}}
		return p.add(more, entryBytes+len(to.Path)+len(data))
	})
}

func (p *packer) add(e protocol.LayEntry, size int) error {
	if p.size+size > protocol.MaxLay {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.entries, p.size = append(p.entries, e), p.size+size
	return nil
}

func (p *packer) flush() error {
	if len(p.entries) == 0 {
		return nil
	}
	err := p.send(p.entries)
	p.entries, p.size = nil, 0
	return err
}
