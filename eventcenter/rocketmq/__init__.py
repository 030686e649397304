"""RocketMQ 5 as a client sees it: who to call, the calls, and what is wrong where they fail.

`server` and `address` hold the settings, `remoting` asks name server and brokers how far their queues reach:
these need no package of the extra `[rocketmq]`. `calls` and `check` do.
"""
