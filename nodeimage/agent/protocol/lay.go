package protocol

import "context"

// MethodLay puts files into the data directory: LayParams.
const MethodLay = "lay"

// MaxLay is how many bytes of files one LayParams may hold: in base64, and with their names, they must fit
// a frame.
const MaxLay = 512 << 10

// LayParams are the parameters of MethodLay.
type LayParams struct {
	Entries []LayEntry `json:"entries"`
}

// LayEntry is a name to make in the data directory, or more bytes for a file that an
// entry before has made.
type LayEntry struct {
	Path   string     `json:"path"`             // slash-separated, from the data directory; its directory is there
	Perm   uint32     `json:"perm,omitempty"`   // of a directory or a file
	Dir    bool       `json:"dir,omitempty"`    // it is a directory
	Target string     `json:"target,omitempty"` // it is a symbolic link to this
	Same   string     `json:"same,omitempty"`   // it is a further name of this file
	Size   int64      `json:"size,omitempty"`   // of a file, bytes; where no piece lies there are zeros
	Pieces []LayPiece `json:"pieces,omitempty"`
	Again  bool       `json:"again,omitempty"` // the file is there: these are more pieces of it
}

// LayPiece is bytes of a file.
type LayPiece struct {
	At   int64  `json:"at"`
	Data []byte `json:"data"`
}

// Lay puts files into the data directory of the machine's servers, as these servers' user, in order. A name
// that is there already is an error. While a server runs it is refused with ErrRunning.
func (c *Client) Lay(ctx context.Context, entries []LayEntry) error {
	return c.call(ctx, MethodLay, LayParams{Entries: entries}, nil)
}
