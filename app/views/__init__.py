"""Pages. Each is a function without arguments that asks who is there before it draws anything."""
