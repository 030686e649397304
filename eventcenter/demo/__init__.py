"""A small Kubernetes cluster that lives on bus `k8s`: something to look at before one's own events arrive."""
