"""How a service is reached: endpoint, proxy, TLS, the HTTP pipe, error and retry tables; the only sockets we open."""
