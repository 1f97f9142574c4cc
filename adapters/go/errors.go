package lockstep

import (
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lacks is the answer where the value has no such method, or the method no word for what is asked: UNIMPLEMENTED.
type lacks string

func (l lacks) Error() string { return "etcd-lockstep: " + string(l) }

// GRPCStatus is what gRPC makes of the error.
func (l lacks) GRPCStatus() *status.Status { return status.New(codes.Unimplemented, l.Error()) }

// toStatus returns an error of the value's as gRPC carries it. Both of etcd's kinds of errors keep their code and text,
// those of clients (rpctypes.ErrLeaseNotFound) and those of servers (rpctypes.ErrGRPCLeaseNotFound).
func toStatus(err error) error {
	var lacking lacks
	var client rpctypes.EtcdError
	var grpcError interface{ GRPCStatus() *status.Status }
	switch {
	case errors.As(err, &lacking):
		return lacking
	case errors.As(err, &client):
		return definite(client.Code(), client.Error())
	case errors.As(err, &grpcError):
		return definite(grpcError.GRPCStatus().Code(), grpcError.GRPCStatus().Message())
	default:
		return status.Error(codes.Unknown, err.Error())
	}
}

// definite returns an error that is an answer. Those codes by which gRPC itself says that there was none are named in
// the text instead; so is UNIMPLEMENTED, for the value has the method.
func definite(code codes.Code, text string) error {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unimplemented, codes.OK:
		return status.Error(codes.Unknown, fmt.Sprintf("%s: %s", code, text))
	default:
		return status.Error(code, text)
	}
}
