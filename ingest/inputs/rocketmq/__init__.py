"""The consumer of RocketMQ 5: `consumer.Consumer` receives, `check.check` tries a server's settings,
`remoting.Offsets` asks name server and brokers how far their queues reach.

`server` and `address` hold the settings; they need no package of the extra `[rocketmq]`.
"""
