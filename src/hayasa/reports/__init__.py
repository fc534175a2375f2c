"""What other tools print about a speed: llama-bench, Ollama, LM Studio, mlx-lm, llama.cpp, vLLM."""
