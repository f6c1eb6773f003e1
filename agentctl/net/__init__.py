"""The network layer: endpoints, proxies, TLS, HTTP, WebSocket, errors and retries; all sockets are opened here."""
