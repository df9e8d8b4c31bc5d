"""From a results folder to what people read. No torch, no methods: a laptop is enough."""
