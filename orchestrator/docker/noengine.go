package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// noEngineError says in one line why no engine answers. The libraries' errors
// below it have many words, and are there for errors.Is.
type noEngineError struct {
	text  string
	cause error
}

func (e *noEngineError) Error() string   { return e.text }
func (e *noEngineError) Unwrap() []error { return []error{ErrNoEngine, e.cause} }

// noAddress is for an engine whose address is not known.
func noAddress(err error) error { return &noEngineError{fmt.Sprintf("%v: %v", ErrNoEngine, err), err} }

// noAnswer is for an engine that does not answer at its address.
func noAnswer(a address, what string, cause error) error {
	return &noEngineError{fmt.Sprintf("%v at %v: %s", ErrNoEngine, a, what), cause}
}

// notReached explains why the first request to an engine failed.
func notReached(ctx context.Context, a address, api *client.Client, limit time.Duration, err error) error {
	switch {
	case ctx.Err() != nil: // the caller's own
		return noAnswer(a, ctx.Err().Error(), ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswer(a, fmt.Sprintf("it did not answer within %v: is it hung, or far away? (%s)", limit, a.restart()), err)
	case a.isSSH():
		if !strings.Contains(err.Error(), sshWordsMark) { // the client has put words of its own in their place
			if words := lastWords(ctx, api, limit); words != nil && strings.Contains(words.Error(), sshWordsMark) {
				err = words
			}
		}
		return noAnswer(a, explainSSH(a, err), err)
	}
	err = a.cause(ctx, err)
	what := err.Error()
	// The library puts the request's address first, which has been named.
	if i := strings.LastIndex(what, `_ping": `); i >= 0 {
		what = strings.TrimPrefix(what[i+len(`_ping": `):], "readLoopPeekFailLocked: ")
	}
	return noAnswer(a, what+": "+fix(err), err)
}

func (a address) restart() string {
	if a.isSSH() {
		return "see whether " + a.sshCommand() + " docker version answers"
	}
	return "restart Docker"
}

// cause finds out why a connection failed, which the client does not tell: it
// connects once more.
func (a address) cause(ctx context.Context, err error) error {
	if !client.IsErrConnectionFailed(err) {
		return err
	}
	u, parseErr := client.ParseHostURL(a.Host)
	if parseErr != nil || u.Scheme == "npipe" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, dialErr := new(net.Dialer).DialContext(ctx, u.Scheme, u.Host)
	if dialErr == nil {
		conn.Close() // so it is not the connection
		return err
	}
	return dialErr
}

// fix says what to do about an engine that is not reached by ssh.
func fix(err error) string {
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, fs.ErrPermission) || has("permission denied"):
		return "this user may not use it: join the group docker (sudo usermod -aG docker $USER, and log in again)"
	case has("without TLS", "HTTP request to an HTTPS server"):
		return "it speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem"
	case has("EOF", "closed idle connection", "reset by peer", "broken pipe"):
		return "it closed the connection: give the engine's port, and if that speaks TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
	case has("HTTP response to HTTPS client", "does not look like a TLS handshake"):
		return "it does not speak TLS: unset DOCKER_TLS_VERIFY and DOCKER_TLS, or give the port where it does"
	case has("remote error: tls"):
		return "it asks for a client certificate that it trusts: set DOCKER_CERT_PATH to the folder with " +
			"cert.pem and key.pem, signed by the engine's authority, or fix docker's context"
	case has("x509:", "tls:"):
		return "its certificate is not trusted: ca.pem in DOCKER_CERT_PATH (or in docker's context) must be " +
			"that of the engine's authority, and the certificate must name the host"
	default:
		return "install or start Docker (https://docs.docker.com/get-docker), or set DOCKER_HOST to where it is"
	}
}

// explainSSH says what ssh said, and what to do about it.
func explainSSH(a address, err error) string {
	if errors.Is(err, exec.ErrNotFound) {
		return "there is no ssh program here: install an OpenSSH client and put it on PATH"
	}
	words := sshWords(err)
	return fmt.Sprintf("ssh says: %s: %s", words, a.mendSSH(words))
}

// sshWordsMark is before ssh's words in the library's errors.
const sshWordsMark = "stderr="

// sshWords are what ssh wrote on stderr, as one line. The library tells them
// last, after the whole command line and a guess of its own.
func sshWords(err error) string {
	words := err.Error()
	if _, stderr, ok := strings.Cut(words, sshWordsMark); ok && strings.TrimSpace(stderr) != "" {
		words = stderr
	}
	lines := strings.FieldsFunc(words, func(r rune) bool { return r == '\n' || r == '\r' })
	words = strings.TrimSpace(strings.Join(lines, "; "))
	const most = 600
	if len(words) > most {
		words = "…" + strings.ToValidUTF8(words[len(words)-most:], "")
	}
	return words
}

func (a address) mendSSH(words string) string {
	says := func(part string) bool { return strings.Contains(words, part) }
	switch {
	case says("Permission denied ("), says("Too many authentication failures"):
		return "let " + a.sshCommand() + " log in without asking for a password (ssh-copy-id, ssh-agent)"
	case says("Host key verification failed"):
		return "log in once by hand, to see and accept the host's key: " + a.sshCommand()
	case says("not found"):
		return "install Docker there, and let `" + a.sshCommand() + " docker version` find it"
	case says("permission denied while trying to connect"):
		return "this user may not use Docker there: add it to the group docker"
	case says("Cannot connect to the Docker daemon"):
		return "start Docker there"
	default:
		return "see whether `" + a.sshCommand() + " docker version` answers, and fix the address in " + client.EnvOverrideHost + " or docker's context"
	}
}

// sshCommand is how a user tries the address by hand.
func (a address) sshCommand() string {
	scheme, rest, _ := strings.Cut(a.Host, "://")
	host, _, _ := strings.Cut(rest, "/") // what follows is the socket's path
	return "ssh " + scheme + "://" + host
}
