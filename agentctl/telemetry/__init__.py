"""Export of traces to OpenTelemetry, with the conventions for generative AI; needs the extra `otel`."""
