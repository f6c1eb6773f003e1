"""Chat completions: conversion of items to messages and of chunks to events, and the model over HTTP."""
