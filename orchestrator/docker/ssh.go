package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/docker/client"
)

const (
	// sshLogins is how many connections may be logging in at once. An sshd
	// drops some at random when there are more than 10 (MaxStartups).
	sshLogins = 8
	// sshLoginTime is after how long one is not held to be logging in any more,
	// though nothing was read from it: it may have nothing to say.
	sshLoginTime = 5 * time.Second
	// sshIdle is how many connections wait to be used again: each costs a login.
	sshIdle = 16
)

// sshClient reaches the engine through `ssh … docker system dial-stdio`, one
// process a connection. The docker command's own options would do, but for
// this: they let ssh try to connect for longer than we wait for it, so that its
// words are never heard; they lose its words when it ends before anything was
// written; they log in as often at once as there are requests; and they send
// what goes through ssh to the environment's proxy, for the host name that they
// make up.
func (a address) sshClient(patience time.Duration) (*client.Client, error) {
	connect := max(1, int((patience-time.Second)/time.Second))
	helper, err := connhelper.GetConnectionHelperWithSSHOpts(a.Host, []string{fmt.Sprintf("-o ConnectTimeout=%d", connect)})
	if err != nil {
		return nil, err
	}
	logins := make(chan struct{}, sshLogins)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		select {
		case logins <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		conn, err := helper.Dialer(ctx, network, addr)
		if err != nil {
			<-logins
			return nil, err
		}
		c := &sshConn{Conn: conn, loggedIn: sync.OnceFunc(func() { <-logins })}
		c.login = time.AfterFunc(sshLoginTime, c.loggedIn)
		return c, nil
	}
	transport := &http.Transport{MaxIdleConns: sshIdle, MaxIdleConnsPerHost: sshIdle, IdleConnTimeout: 30 * time.Second}
	api, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(helper.Host), client.WithDialContext(dial),
		client.WithVersionFromEnv(), client.WithAPIVersionNegotiation())
	transport.Proxy = nil
	return api, err
}

// sshConn is a connection through ssh.
type sshConn struct {
	net.Conn
	loggedIn func() // to be called when the login is over, well or not
	login    *time.Timer
}

func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.loggedIn()
	return n, err
}

// Write tells ssh's last words if ssh is gone. Reading does so by itself;
// writing only knows of a broken pipe.
func (c *sshConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		if _, words := c.Conn.Read(make([]byte, 1)); words != nil && words != io.EOF {
			err = words
		}
	}
	return n, err
}

func (c *sshConn) Close() error {
	c.login.Stop()
	c.loggedIn()
	return c.Conn.Close()
}

// lastWords connects once more, to hear why that fails.
func lastWords(ctx context.Context, api *client.Client, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := api.Dialer()(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = conn.Read(make([]byte, 1))
	return err
}
