package disk

import (
	"os"
	"slices"

	"squall/nodeimage/disk"
)

// Bounds of what is remembered of blocks that were written over: blocks in all, and of one write.
const (
	mostOlder      = 1024
	mostOlderOfOne = 8
)

// older is what blocks of files held before they were written the last time: what a disk
// that has lost one write gives back. It has the blocks that were first written over last.
type older struct {
	blocks map[blockOf][]byte
	order  []blockOf
}

// blockOf is a block of a file, of blockBytes.
type blockOf struct {
	ino disk.Ino
	at  int64 // its offset, bytes
}

// keep reads the blocks that a write is about to change, those that a file has.
func (o *older) keep(ino disk.Ino, f *os.File, at, length int64) {
	end := min(at+length, at/blockBytes*blockBytes+mostOlderOfOne*blockBytes)
	for b := at / blockBytes * blockBytes; b < end; b += blockBytes {
		held := make([]byte, blockBytes)
		if n, _ := f.ReadAt(held, b); n > 0 {
			o.put(blockOf{ino, b}, held)
		}
	}
}

func (o *older) put(b blockOf, held []byte) {
	if o.blocks == nil {
		o.blocks = map[blockOf][]byte{}
	}
	if _, known := o.blocks[b]; !known {
		if len(o.order) == mostOlder {
			delete(o.blocks, o.order[0])
			o.order = slices.Delete(o.order, 0, 1)
		}
		o.order = append(o.order, b)
	}
	o.blocks[b] = held
}

// of are the blocks of a file of which it is known what they held, by offset.
func (o *older) of(ino disk.Ino) []blockOf {
	var all []blockOf
	for _, b := range o.order {
		if b.ino == ino {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b blockOf) int { return int(a.at/blockBytes - b.at/blockBytes) })
	return all
}
