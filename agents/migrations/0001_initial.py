import agents.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import simple_history.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Agent',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=300)),
                ('kind', models.CharField(choices=[('human', 'Person'), ('ai', 'AI agent')], default='human', max_length=5)),
                ('active', models.BooleanField(default=True)),
                ('coaching', models.BooleanField(default=False, help_text='Gives this AI agent a coach. Switching it off keeps all memories, procedures and proposals.')),
                ('storage_mode', models.CharField(choices=[('full', 'Transcripts as they came'), ('masked', 'Transcripts with personal data masked'), ('summary_only', 'No transcripts')], default='masked', max_length=12)),
                ('retention_days', models.PositiveIntegerField(default=90, help_text='Days after which stored transcripts are deleted.')),
                ('configuration_version', models.PositiveIntegerField(default=0, editable=False)),
                ('memory_base_version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['human', 'ai'])), name='agent_kind_is_known'), models.CheckConstraint(condition=models.Q(('kind', 'ai'), ('coaching', False), _connector='OR'), name='only_ai_agents_have_a_coach'), models.CheckConstraint(condition=models.Q(('storage_mode__in', ['full', 'masked', 'summary_only'])), name='agent_storage_mode_is_known'), models.CheckConstraint(condition=models.Q(('retention_days__range', (1, 3650))), name='agent_retention_is_1_to_3650_days')],
            },
        ),
        migrations.CreateModel(
            name='Team',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='Workspace',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=200)),
                ('time_zone', models.CharField(default='UTC', max_length=64, validators=[agents.models.known_time_zone])),
                ('decisions_made', models.PositiveIntegerField(default=0, editable=False, help_text='Entries in the decision log.')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('email', models.EmailField(max_length=254, unique=True)),
                ('name', models.CharField(blank=True, max_length=200)),
                ('is_active', models.BooleanField(default=True)),
                ('is_staff', models.BooleanField(default=False, verbose_name='may use the back office')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='one_user_per_email')],
            },
        ),
        migrations.CreateModel(
            name='Member',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[('owner', 'Owner'), ('admin', 'Admin'), ('member', 'Member')], default='member', max_length=8)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('left_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('agent', models.OneToOneField(blank=True, help_text='Their own row in the team.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='member', to='agents.agent')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memberships', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'user'), name='one_membership_per_user_and_workspace'), models.UniqueConstraint(condition=models.Q(('role', 'owner')), fields=('workspace',), name='one_owner_per_workspace'), models.CheckConstraint(condition=models.Q(('role__in', ['owner', 'admin', 'member'])), name='member_role_is_known'), models.CheckConstraint(condition=models.Q(models.Q(('role', 'owner'), _negated=True), ('left_at', None), _connector='OR'), name='owner_has_not_left')],
            },
        ),
        migrations.AddField(
            model_name='agent',
            name='team',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='agents', to='agents.team'),
        ),
        migrations.AddField(
            model_name='team',
            name='workspace',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='teams', to='agents.workspace'),
        ),
        migrations.CreateModel(
            name='Prompt',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('system_prompt', models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(50000)])),
                ('agent', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='prompt', to='agents.agent')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Procedure',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('name', models.CharField(max_length=200)),
                ('trigger', models.TextField(blank=True, help_text='When the agent follows it.', validators=[django.core.validators.MaxLengthValidator(2000)])),
                ('content', models.TextField(help_text='The steps, in Markdown.', validators=[django.core.validators.MaxLengthValidator(50000)])),
                ('active', models.BooleanField(default=True)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='procedures', to='agents.agent')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.F('agent'), django.db.models.functions.text.Lower('name'), name='procedure_name_once_per_agent')],
            },
        ),
        migrations.CreateModel(
            name='IdempotentAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=255)),
                ('request_hash', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('body', models.JSONField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('member', 'key'), name='idempotency_key_once_per_member')],
            },
        ),
        migrations.CreateModel(
            name='HistoricalPrompt',
            fields=[
                ('id', models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(blank=True, editable=False)),
                ('system_prompt', models.TextField(blank=True, validators=[django.core.validators.MaxLengthValidator(50000)])),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('agent', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='agents.agent')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='agents.workspace')),
            ],
            options={
                'verbose_name': 'historical prompt',
                'verbose_name_plural': 'historical prompts',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
                'constraints': [models.UniqueConstraint(fields=('id', 'version'), name='prompt_version_once')],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalProcedure',
            fields=[
                ('id', models.UUIDField(db_index=True, default=uuid.uuid4, editable=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(blank=True, editable=False)),
                ('name', models.CharField(max_length=200)),
                ('trigger', models.TextField(blank=True, help_text='When the agent follows it.', validators=[django.core.validators.MaxLengthValidator(2000)])),
                ('content', models.TextField(help_text='The steps, in Markdown.', validators=[django.core.validators.MaxLengthValidator(50000)])),
                ('active', models.BooleanField(default=True)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('agent', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='agents.agent')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='agents.workspace')),
            ],
            options={
                'verbose_name': 'historical procedure',
                'verbose_name_plural': 'historical procedures',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
                'constraints': [models.UniqueConstraint(fields=('id', 'version'), name='procedure_version_once')],
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='ExternalId',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=50)),
                ('value', models.CharField(max_length=300)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='external_ids', to='agents.agent')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'source', 'value'), name='external_id_means_one_agent'), models.UniqueConstraint(fields=('agent', 'source'), name='one_external_id_per_agent_and_source')],
            },
        ),
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by_name', models.CharField(blank=True, max_length=300)),
                ('door', models.CharField(choices=[('page', 'the dashboard'), ('chat', 'the coach chat'), ('api', 'the API'), ('admin', 'the back office'), ('slack', 'Slack'), ('command', 'a command')], max_length=8)),
                ('action', models.CharField(choices=[('approved', 'Approved'), ('rejected', 'Rejected'), ('reverted', 'Reverted'), ('created', 'Created'), ('revised', 'Revised'), ('removed', 'Removed'), ('restored', 'Restored')], max_length=8)),
                ('agent_name', models.CharField(max_length=300)),
                ('target_kind', models.CharField(max_length=9)),
                ('target_id', models.UUIDField(null=True)),
                ('result_version', models.PositiveIntegerField(null=True)),
                ('configuration_number', models.PositiveIntegerField(null=True)),
                ('proposal_id', models.UUIDField(null=True)),
                ('proposal_type', models.CharField(blank=True, max_length=30)),
                ('title', models.TextField()),
                ('note', models.TextField(blank=True)),
                ('previous_hash', models.CharField(blank=True, max_length=64)),
                ('hash', models.CharField(max_length=64)),
                ('agent', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='agents.agent')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='decisions', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'number'), name='decision_number_once_per_workspace')],
            },
        ),
        migrations.CreateModel(
            name='Configuration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('change', models.CharField(choices=[('created', 'Created'), ('revised', 'Revised'), ('removed', 'Removed'), ('restored', 'Restored')], max_length=8)),
                ('target_kind', models.CharField(choices=[('prompt', 'prompt'), ('procedure', 'procedure'), ('memory', 'memory')], max_length=9)),
                ('target_id', models.UUIDField()),
                ('target_version', models.PositiveIntegerField()),
                ('memory_base_version', models.PositiveIntegerField()),
                ('door', models.CharField(choices=[('page', 'the dashboard'), ('chat', 'the coach chat'), ('api', 'the API'), ('admin', 'the back office'), ('slack', 'Slack'), ('command', 'a command')], max_length=8)),
                ('reason', models.TextField(blank=True)),
                ('proposal_id', models.UUIDField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='configurations', to='agents.agent')),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('agent', 'number'), name='configuration_number_once_per_agent'), models.UniqueConstraint(fields=('target_kind', 'target_id', 'target_version'), name='each_version_in_one_configuration')],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200)),
                ('hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('scopes', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='agents.member')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tokens', to='agents.workspace')),
            ],
        ),
        migrations.AddField(
            model_name='agent',
            name='workspace',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='agents', to='agents.workspace'),
        ),
        migrations.AddConstraint(
            model_name='team',
            constraint=models.UniqueConstraint(fields=('workspace', 'name'), name='team_name_once_per_workspace'),
        ),
        migrations.AddIndex(
            model_name='agent',
            index=models.Index(fields=['workspace', 'name'], name='agent_by_name'),
        ),
    ]
