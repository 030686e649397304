"""The consumer of RocketMQ 5: `consumer.Consumer` receives, stores by way of others, and acknowledges."""
