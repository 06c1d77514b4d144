package kv

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

const (
	// agentHello is how long the agent's first word on a line may take. It was
	// sent before the server started.
	agentHello = 5 * time.Second
	// maxAgentLine bounds a line of the agent's, in bytes.
	maxAgentLine = 64 << 10
)

// lineConn is a connection whose reading can be given up, such as an *os.File.
type lineConn interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// inheritedLine opens the descriptor that an environment variable names; nil
// when there is no such variable: nobody handed one down.
func inheritedLine(env, name string) (lineConn, error) {
	number, handed := os.LookupEnv(env)
	if !handed {
		return nil, nil
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("%s is %q, which is not a file descriptor", env, number)
	}
	conn, err := inherit(fd, name)
	if err != nil {
		return nil, fmt.Errorf("%s is %d: %w", env, fd, err)
	}
	return conn, nil
}

// obey answers each line that comes on conn with the one that answer returns. It
// returns when the first was answered; done is closed when conn has ended.
func obey(conn lineConn, answer func(line string) string) (done <-chan struct{}, err error) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxAgentLine)
	err = conn.SetReadDeadline(time.Now().Add(agentHello))
	if err == nil && !lines.Scan() {
		err = cmp.Or(lines.Err(), io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fmt.Errorf("the agent does not say how it begins: %w", err)
	}
	if _, err := io.WriteString(conn, answer(lines.Text())); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			// Who asked is gone when the answer cannot be written; what it asked
			// for stays as it is.
			if _, err := io.WriteString(conn, answer(lines.Text())); err != nil {
				return
			}
		}
	}()
	return ended, nil
}

// lineID is the number of the request on a line, which its answer repeats.
func lineID(words []string) string {
	if len(words) > 1 {
		return words[1]
	}
	return "0"
}
