# bash completion for tuplecast

_tuplecast() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    case $previous in
    -c | --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$current")
        return
        ;;
    -d | --database | -l | --listen | --channels) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--config --database --listen --channels --log-level --dry-run --remove --quiet --version --help' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W 'serve setup check ready' -- "$current")
    fi
}

complete -o filenames -F _tuplecast tuplecast
