package disk

import (
	"errors"
	"fmt"
	"strings"
)

// Ino is the number of a file, directory or symbolic link in a tree. It is
// never used again for another.
type Ino uint64

// Root is the number of the tree's directory.
const Root Ino = 1

// Kind is what an operation does.
type Kind uint8

// The operations. The numbers are in journals.
const (
	Mount    Kind = iota + 1 // a life begins with an empty tree; what was there follows, and then SyncAll
	Create                   // Node is a new file, Name in Dir
	Mkdir                    // Node is a new directory, Name in Dir
	Symlink                  // Node is a new link to Target, Name in Dir
	Link                     // the file or symbolic link Node has the further name Name in Dir
	Rename                   // Name in Dir becomes NewName in NewDir, and replaces what has that name
	Exchange                 // Name in Dir and NewName in NewDir change places
	Unlink                   // Name in Dir, a file or symbolic link, goes
	Rmdir                    // Name in Dir, an empty directory, goes
	Write                    // Data goes into Node at Offset; with Synced it is durable at once
	Truncate                 // Node is Length long from now on; with Synced it is durable at once
	Allocate                 // Node is at least Offset+Length long
	Zero                     // Length bytes of Node at Offset become zero; its length stays
	Sync                     // data and length of the file Node, or the names in the directory Node, are durable
	SyncData                 // likewise, by fdatasync
	SyncAll                  // everything is durable
	kinds                    // how many there are, plus one
)

var kindNames = [kinds]string{"", "mount", "create", "mkdir", "symlink", "link", "rename", "exchange", "unlink", "rmdir",
	"write", "truncate", "allocate", "zero", "sync", "sync-data", "sync-all"}

func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// Limits of an operation.
const (
	MaxName   = 255      // bytes of a name
	MaxTarget = 4 << 10  // bytes of the target of a symbolic link
	MaxData   = 16 << 20 // bytes of one write
	MaxLength = 1 << 40  // bytes of a file
)

// Op is an operation that succeeded. Which fields count is told with its Kind;
// the others are zero.
type Op struct {
	Kind    Kind
	At      int64 // when it was done, ns of the machine's CLOCK_MONOTONIC
	Node    Ino
	Dir     Ino
	Name    string
	NewDir  Ino
	NewName string
	Target  string
	Mode    uint32 // of what Create and Mkdir make: permission bits
	Offset  int64  // bytes
	Length  int64  // bytes
	Data    []byte
	Synced  bool
	// Upto is, for Sync, SyncData and SyncAll, the number of the last operation
	// that they are sure to cover: the last one when they began. 0 is all before
	// them. Operations are numbered from 1, over all lives of a journal.
	Upto uint64
}

// fields are those of an operation that count, and that a journal has.
type fields uint16

const (
	hasNode fields = 1 << iota
	hasDir         // and Name
	hasNew         // NewDir and NewName
	hasTarget
	hasMode
	hasOffset
	hasLength
	hasData
	hasSynced
	hasUpto
)

func (k Kind) fields() fields {
	switch k {
	case Create, Mkdir:
		return hasNode | hasDir | hasMode
	case Symlink:
		return hasNode | hasDir | hasTarget
	case Link:
		return hasNode | hasDir
	case Rename, Exchange:
		return hasDir | hasNew
	case Unlink, Rmdir:
		return hasDir
	case Write:
		return hasNode | hasOffset | hasData | hasSynced
	case Truncate:
		return hasNode | hasLength | hasSynced
	case Allocate, Zero:
		return hasNode | hasOffset | hasLength
	case Sync, SyncData:
		return hasNode | hasUpto
	case SyncAll:
		return hasUpto
	default:
		return 0
	}
}

// check refuses what no operation can be.
func (op *Op) check() error {
	has := op.Kind.fields()
	switch {
	case op.Kind == 0 || op.Kind >= kinds:
		return fmt.Errorf("there is no operation of %v", op.Kind)
	case has&hasNode != 0 && op.Node == 0, has&hasDir != 0 && op.Dir == 0, has&hasNew != 0 && op.NewDir == 0:
		return fmt.Errorf("%v: number 0 is no file's", op.Kind)
	case op.Offset < 0 || op.Length < 0 || op.Offset > MaxLength || op.Length > MaxLength:
		return fmt.Errorf("%v: %d bytes at %d: beyond %d bytes", op.Kind, op.Length, op.Offset, int64(MaxLength))
	case len(op.Data) > MaxData:
		return fmt.Errorf("%v: %d bytes at once, more than %d", op.Kind, len(op.Data), MaxData)
	case has&hasTarget != 0 && (op.Target == "" || len(op.Target) > MaxTarget):
		return fmt.Errorf("%v: a target of %d bytes", op.Kind, len(op.Target))
	}
	if has&hasDir != 0 {
		if err := checkName(op.Name); err != nil {
			return fmt.Errorf("%v: %w", op.Kind, err)
		}
	}
	if has&hasNew != 0 {
		if err := checkName(op.NewName); err != nil {
			return fmt.Errorf("%v: %w", op.Kind, err)
		}
	}
	return nil
}

// checkName keeps an image within its directory.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%q is no name of a file", name)
	case len(name) > MaxName:
		return fmt.Errorf("a name of %d bytes", len(name))
	case strings.ContainsAny(name, "/\x00"):
		return errors.New("a name with a slash or a zero byte")
	}
	return nil
}
