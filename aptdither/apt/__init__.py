"""Read and rewrite APT proposals: XML, tags and receipts."""
