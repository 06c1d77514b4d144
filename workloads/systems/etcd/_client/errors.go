package main

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"squall.invalid/client/goclient"
)

// readError is an error of an operation that changes nothing, or of the part of one that
// came before anything was changed.
type readError struct{ error }

// Unwrap returns the cause.
func (e readError) Unwrap() error { return e.error }

// sentKey is where a context has whether a request was sent.
type sentKey struct{}

// watched is a context that notes whether a request may have been sent.
func watched(ctx context.Context) (context.Context, *atomic.Bool) {
	sent := new(atomic.Bool)
	return context.WithValue(ctx, sentKey{}, sent), sent
}

// noteSent notes in the context of a request that failed whether it may have been sent:
// gRPC has a peer for it as soon as there is a stream to send it on. What had none is
// known to have had no effect, whatever the error is called.
func noteSent(ctx context.Context, method string, req, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var to peer.Peer
	err := invoke(ctx, method, req, reply, c, append(opts, grpc.Peer(&to))...)
	if sent, ok := ctx.Value(sentKey{}).(*atomic.Bool); ok && (err == nil || to.Addr != nil) {
		sent.Store(true)
	}
	return err
}

// explain says in the protocol's terms what an error means.
func (c *conn) explain(err error, sent *atomic.Bool) error {
	var known *goclient.Error
	if errors.As(err, &known) {
		return err
	}
	var read readError
	return &goclient.Error{
		Certain: errors.As(err, &read) || !sent.Load() || rejected(err),
		Lost:    c.etcd.ActiveConnection().GetState() != connectivity.Ready,
		Err:     errors.New(textOf(err)),
	}
}

// rejected reports whether a server has refused a request before it was proposed to
// the cluster. What is refused while it is applied is not among these, nor what
// may have been proposed by the time: a quota that is used up, a leader that changes.
func rejected(err error) bool {
	switch statusOf(err).Code() {
	case codes.InvalidArgument, codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated:
		return true
	}
	for _, sure := range append(refusals(), rpctypes.ErrTooManyRequests, rpctypes.ErrRequestTooLarge) {
		if errors.Is(err, sure) || statusOf(err).Message() == sure.Error() {
			return true
		}
	}
	// Raft refuses a proposal before it is in any log: on a node that knows of no
	// leader, or whose leadership is being handed over.
	return strings.HasSuffix(statusOf(err).Message(), "raft proposal dropped")
}

// refusals are etcd's words for a change of members that it does not propose to the cluster:
// "not now", as a rule. Not all versions give them a code of their own. That a learner is
// promoted already, or a member there already or gone, is not among them: that may be the
// trace of this very request, which etcd repeats where it hands it on to the leader.
func refusals() []error {
	return []error{rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrMemberLearnerNotReady,
		rpctypes.ErrTooManyLearners, rpctypes.ErrNotLeader, rpctypes.ErrBadLeaderTransferee}
}

// statusOf is what gRPC says of an error; etcd's client puts that into a type of its own.
func statusOf(err error) *status.Status {
	var of interface{ GRPCStatus() *status.Status }
	if errors.As(err, &of) {
		return of.GRPCStatus()
	}
	var etcd rpctypes.EtcdError
	if errors.As(err, &etcd) {
		return status.New(etcd.Code(), etcd.Error())
	}
	return status.New(codes.Unknown, err.Error())
}

// textOf is an error as etcd words it.
func textOf(err error) string {
	var etcd rpctypes.EtcdError
	if errors.As(err, &etcd) {
		return etcd.Error()
	}
	if s := statusOf(err); s.Code() != codes.Unknown || s.Message() != err.Error() {
		return s.Code().String() + ": " + s.Message()
	}
	return err.Error()
}
