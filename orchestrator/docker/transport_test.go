package docker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// relay passes every connection that l accepts on to the real engine r.
func relay(t *testing.T, r *Runtime, l net.Listener) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		cancel()
		group.Wait()
	})
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				join(ctx, r, c)
			})
		}
	})
}

func join(ctx context.Context, r *Runtime, c net.Conn) {
	defer c.Close()
	if secure, ok := c.(*tls.Conn); ok {
		if err := secure.HandshakeContext(ctx); err != nil {
			noHandshake(secure.NetConn(), err)
			return
		}
	}
	engine, err := r.api.Dialer()(ctx)
	if err != nil {
		return
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		defer c.Close()
		io.Copy(c, engine)
	})
	defer engine.Close()
	io.Copy(engine, c)
}

// noHandshake does as an engine does: it answers plain HTTP, and does not hang
// up before its alert was read.
func noHandshake(c net.Conn, err error) {
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.CloseWrite() // that is where an answer of HTTP/1.0 ends
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	io.Copy(io.Discard, c)
}

// listen is a port of this computer.
func listen(t *testing.T, config *tls.Config) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	return l
}

// wantWholeRun brings a machine up on the engine that the environment names,
// speaks to its agent over the attached stream, and takes it down.
func wantWholeRun(t *testing.T, from string) {
	t.Helper()
	r := connect(t, "")
	if r.addr.from != from {
		t.Errorf("the address is %s, want %s", r.addr.from, from)
	}
	s := spec(t, r, "n1")
	s.BinaryKey = s.Run // an image of its own, which has to be sent
	t.Cleanup(func() {
		if _, err := r.api.ImageRemove(context.Background(), imageRepo+":"+s.BinaryKey, removeOptions()); err != nil {
			t.Error(err)
		}
	})
	c := up(t, r, s)
	agent := command(t, c.Machine("n1"))
	hello, err := agent.Hello(t.Context())
	if err != nil || hello.Hostname != "n1" {
		t.Fatalf("hello: %+v, %v", hello, err)
	}
	info, err := r.Info(t.Context())
	if want := "Docker " + info.Version + " at " + r.addr.Host + " (" + from + ")"; err != nil || info.String() != want {
		t.Errorf("info: %q, %v, want %q", info, err, want)
	}
	agent.Close() // as at the end of a run, before Down
	if err := c.Down(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTCP(t *testing.T) {
	real := engine(t)
	dockerConfig(t)
	l := listen(t, nil)
	relay(t, real, l)
	t.Setenv(client.EnvOverrideHost, "tcp://"+l.Addr().String())
	wantWholeRun(t, "from DOCKER_HOST")

	// What hangs up and what speaks no TLS is told from what is not there.
	closing := listen(t, nil)
	go func() {
		for c, err := closing.Accept(); err == nil; c, err = closing.Accept() {
			c.Close()
		}
	}()
	t.Setenv(client.EnvOverrideHost, "tcp://"+closing.Addr().String())
	wantNoEngine(t, "from DOCKER_HOST", "it closed the connection")
	closing.Close()
	t.Setenv(client.EnvOverrideHost, "tcp://"+l.Addr().String())
	folder := t.TempDir()
	newAuthority(t).issue(t, folder, "client")
	t.Setenv(client.EnvTLSVerify, "1")
	t.Setenv(client.EnvOverrideCertPath, folder)
	wantNoEngine(t, "from DOCKER_HOST", "does not speak TLS", "unset DOCKER_TLS_VERIFY")
	t.Setenv(client.EnvTLSVerify, "")
	l.Close()
	wantNoEngine(t, "from DOCKER_HOST", "connection refused")
}

// wantNoEngine wants that New finds none, and says so in one line.
func wantNoEngine(t *testing.T, words ...string) {
	t.Helper()
	r, err := New(t.Context(), Options{PingTimeout: time.Minute})
	if err == nil {
		r.Close()
	}
	if !errors.Is(err, ErrNoEngine) {
		t.Errorf("got %v, want ErrNoEngine", err)
		return
	}
	t.Log(err)
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want %q in it", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than a line", err)
	}
}

func TestTLS(t *testing.T) {
	real := engine(t)
	dir := dockerConfig(t)
	ours, others := newAuthority(t), newAuthority(t)
	folder, stranger := t.TempDir(), t.TempDir()
	ours.issue(t, folder, "client")
	others.issue(t, stranger, "client")
	l := listen(t, ours.serverConfig(t))
	relay(t, real, l)
	host := "tcp://" + l.Addr().String()

	t.Run("environment", func(t *testing.T) {
		t.Setenv(client.EnvOverrideHost, host)
		t.Setenv(client.EnvTLSVerify, "1")
		t.Setenv(client.EnvOverrideCertPath, folder)
		wantWholeRun(t, "from DOCKER_HOST")
	})
	t.Run("context", func(t *testing.T) {
		putContext(t, dir, "far", host)
		for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
			put(t, filepath.Join(contextFolder(dir, "tls", "far"), "docker", name), read(t, filepath.Join(folder, name)))
		}
		t.Setenv(envContext, "far")
		wantWholeRun(t, "from docker's context far")
	})
	t.Run("no TLS", func(t *testing.T) {
		t.Setenv(client.EnvOverrideHost, host)
		wantNoEngine(t, host, "it speaks TLS: set DOCKER_TLS_VERIFY=1")
	})
	t.Run("no certificate", func(t *testing.T) {
		bare := t.TempDir()
		put(t, filepath.Join(bare, "ca.pem"), read(t, filepath.Join(folder, "ca.pem")))
		t.Setenv(client.EnvOverrideHost, host)
		t.Setenv(client.EnvTLSVerify, "1")
		t.Setenv(client.EnvOverrideCertPath, bare)
		wantNoEngine(t, host, "certificate required", "set DOCKER_CERT_PATH")
	})
	t.Run("another authority", func(t *testing.T) {
		t.Setenv(client.EnvOverrideHost, host)
		t.Setenv(client.EnvTLSVerify, "1")
		t.Setenv(client.EnvOverrideCertPath, stranger)
		wantNoEngine(t, host, "unknown authority", "ca.pem in DOCKER_CERT_PATH")
	})
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

// issue puts ca.pem, cert.pem and key.pem into a folder.
func (a authority) issue(t *testing.T, folder, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: a.cert.Raw}, "cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		put(t, filepath.Join(folder, file), string(pem.EncodeToMemory(block)))
	}
}

// serverConfig is that of an engine with --tlsverify.
func (a authority) serverConfig(t *testing.T) *tls.Config {
	t.Helper()
	folder := t.TempDir()
	a.issue(t, folder, "engine")
	cert, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
}
