package disk

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path"

	"github.com/hanwen/go-fuse/v2/fuse"

	"squall/nodeimage/agent/protocol"
	"squall/nodeimage/disk"
)

// Call is a request of the agent's to the file system, a line of JSON on its stdin.
type Call struct {
	ID      uint64                `json:"id"`
	Rules   *protocol.DiskRules   `json:"rules,omitempty"`
	Cut     *protocol.DiskCut     `json:"cut,omitempty"`
	Damage  *protocol.DiskDamage  `json:"damage,omitempty"`
	Journal *protocol.DiskJournal `json:"journal,omitempty"`
	Settle  bool                  `json:"settle,omitempty"` // what is written is durable from now on
	// Without any of them: its status is asked for.
}

// Answer is a line of JSON on its stdout. The first, with number 0, says that servers can be answered, or why not.
type Answer struct {
	ID      uint64                    `json:"id"`
	Error   string                    `json:"error,omitempty"`
	Status  *protocol.DiskStatus      `json:"status,omitempty"`
	Lost    *protocol.DiskLoss        `json:"lost,omitempty"`
	Damaged *protocol.DiskDamaged     `json:"damaged,omitempty"`
	Journal *protocol.DiskJournalPart `json:"journal,omitempty"`
}

// Arguments of Serve.
const (
	folderFlag  = "folder"
	ownerFlag   = "owner"
	journalFlag = "journal"
)

// Args are the arguments with which Serve serves a folder (see Folder): everything in it is shown as of a user
// and group. A journal of at most so many bytes is written; 0: none.
func Args(folder string, owner int, journal int64) []string {
	return []string{fmt.Sprintf("-%s=%s", folderFlag, folder), fmt.Sprintf("-%s=%d", ownerFlag, owner), fmt.Sprintf("-%s=%d", journalFlag, journal)}
}

// DeviceFD is where Serve finds /dev/fuse, as Mount has left it, and FolderFD the folder.
const (
	DeviceFD = 3
	FolderFD = 4
)

// maxWrite is how many bytes the kernel sends or asks for at once.
const maxWrite = 1 << 20

// Serve is the file system. It takes Calls from in and answers on out until in ends.
func Serve(args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("disk", flag.ContinueOnError)
	folder := flags.String(folderFlag, "", "folder of the disk")
	owner := flags.Int(ownerFlag, 0, "whose everything is")
	limit := flags.Int64(journalFlag, 0, "bytes of a journal")
	if err := flags.Parse(args); err != nil {
		return err
	}
	answers := json.NewEncoder(out)
	s, first, err := begin(*folder, *owner, *limit)
	if err != nil {
		return errors.Join(err, answers.Encode(Answer{Error: err.Error()}))
	}
	go s.kernel.Serve()
	if err := s.kernel.WaitMount(); err != nil {
		return errors.Join(err, answers.Encode(Answer{Error: err.Error()}))
	}
	if err := answers.Encode(Answer{Status: first}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var c Call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("reading what the agent wants: %w", err)
		}
		if err := answers.Encode(s.call(c)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// begin reads the folder and takes the kernel's first request.
func begin(folder string, owner int, limit int64) (*service, *protocol.DiskStatus, error) {
	if err := makeFolders(folder); err != nil {
		return nil, nil, err
	}
	found, err := restored(folder)
	if err != nil {
		return nil, nil, err
	}
	life, err := countLives(folder)
	if err != nil {
		return nil, nil, err
	}
	var j *journal
	if limit > 0 {
		if j, err = newJournal(folder, life, limit); err != nil {
			return nil, nil, err
		}
	}
	t, err := openTree(folder, owner, j)
	if err != nil {
		return nil, nil, err
	}
	s := &service{server: newServer(t), life: life, restored: found}
	s.kernel, err = fuse.NewServer(s.server, fmt.Sprintf("/dev/fd/%d", DeviceFD), &fuse.MountOptions{
		MaxWrite: maxWrite, DisableXAttrs: true, DisableReadDirPlus: true, FsName: "squall", Name: "squall",
		ExplicitDataCacheControl: true, Logger: log.New(os.Stderr, "", 0),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("greeting the kernel: %w", err)
	}
	return s, s.status(), nil
}

// countLives counts this mount of the disk in.
func countLives(folder string) (life int, err error) {
	file := path.Join(folder, "lives")
	if text, err := os.ReadFile(file); err == nil {
		if _, err := fmt.Sscan(string(text), &life); err != nil {
			return 0, fmt.Errorf("reading how often it was mounted: %w", err)
		}
	}
	life++
	return life, os.WriteFile(file, fmt.Appendln(nil, life), 0o644)
}

// service answers the agent.
type service struct {
	*server
	life     int
	restored *protocol.DiskRestored
}

func (s *service) call(c Call) Answer {
	a := Answer{ID: c.ID}
	var err error
	switch {
	case c.Rules != nil:
		if err = s.rules.set(c.Rules.Rules); err == nil {
			s.forgetPages(0, 0, s.files()...) // or what is read would not be asked for
		}
	case c.Cut != nil:
		var lost protocol.DiskLoss
		lost, err = s.cut(*c.Cut)
		a.Lost = &lost
	case c.Damage != nil:
		var d protocol.DiskDamaged
		var ino disk.Ino
		switch d, ino, err = s.damage(*c.Damage); {
		case err != nil:
		case ino == 0: // whatever was put back
			s.forgetPages(0, 0, s.files()...)
		default:
			s.forgetPages(d.Offset, d.Length, ino)
		}
		a.Damaged = &d
	case c.Journal != nil:
		a.Journal, err = readJournal(s.top.Name(), *c.Journal)
	case c.Settle:
		err = s.settle()
	default:
		a.Status = s.status()
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (s *service) status() *protocol.DiskStatus {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := &protocol.DiskStatus{Life: s.life, Restored: s.restored, Syncs: s.syncs.Load(), Writes: s.writes.Load(), Reads: s.reads.Load(),
		Memory: s.model.Memory(), WrittenBack: s.backs, Hits: s.rules.counts(), Damaged: len(s.spoilt), Frozen: s.frozen}
	st.PendingWrites, st.PendingNames = s.model.Pending()
	if s.broken != nil {
		st.Broken = s.broken.Error()
	}
	if s.journal != nil {
		st.Journal, st.JournalFull = s.journal.w.Bytes(), s.journal.full
	}
	return st
}

// forgetPages has the kernel read bytes of files anew; of those that it knows nothing of it has none. It is for nobody that
// holds the lock: the kernel may wait for an answer first.
func (s *server) forgetPages(at, long int64, inos ...disk.Ino) {
	for _, ino := range inos {
		_ = s.kernel.InodeNotify(uint64(ino), at, long)
	}
}

// files are the numbers of all files.
func (s *server) files() (inos []disk.Ino) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, n := range s.nodes {
		if !n.dir {
			inos = append(inos, n.ino)
		}
	}
	return inos
}
