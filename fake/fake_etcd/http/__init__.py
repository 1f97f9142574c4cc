"""What etcd answers over HTTP/1.1, on the port on which it speaks gRPC."""

from fake_etcd.http.exchange import Answer, Request, Response

__all__ = ["Answer", "Request", "Response"]
