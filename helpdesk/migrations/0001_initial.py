import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('agents', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Conversation',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('source', models.SlugField()),
                ('external_id', models.CharField(max_length=300)),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='closed', max_length=6)),
                ('channel', models.CharField(blank=True, max_length=50)),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('turn_count', models.PositiveIntegerField(blank=True, null=True)),
                ('configuration_version', models.PositiveIntegerField(blank=True, help_text="The agent's configuration number while it answered.", null=True)),
                ('memories_served', models.JSONField(blank=True, default=list, help_text='[{"id": …, "version": …}]')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('agent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='conversations', to='agents.agent')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='conversations', to='agents.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['agent', '-closed_at'], name='conversation_by_agent_newest'), models.Index(fields=['workspace', '-closed_at'], name='conversation_newest')],
                'constraints': [models.UniqueConstraint(fields=('workspace', 'source', 'external_id'), name='conversation_once_per_source'), models.CheckConstraint(condition=models.Q(('external_id', ''), _negated=True), name='conversation_has_an_external_id'), models.CheckConstraint(condition=models.Q(('status__in', ['open', 'closed'])), name='conversation_status_is_known'), models.CheckConstraint(condition=models.Q(('opened_at', None), ('closed_at', None), ('closed_at__gte', models.F('opened_at')), _connector='OR'), name='conversation_closes_after_it_opens')],
            },
        ),
        migrations.CreateModel(
            name='DeepLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.SlugField()),
                ('conversation_pattern', models.CharField(help_text='With {id}; http or https only.', max_length=500)),
                ('account_pattern', models.CharField(blank=True, max_length=500)),
                ('keys', models.JSONField(blank=True, default=dict, help_text='Values for further keys, such as {"subdomain": "…"}.')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deep_links', to='agents.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'source'), name='one_deep_link_per_source')],
            },
        ),
        migrations.CreateModel(
            name='Rating',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.CharField(help_text='As the source gave it.', max_length=50)),
                ('scale', models.CharField(choices=[('binary', 'good / bad'), ('stars5', '1 to 5 stars'), ('faces3', 'three faces'), ('hubspot012', '0, 1, 2'), ('freshdesk', '103 to −103'), ('percent', '0 to 100')], max_length=10)),
                ('score_hundredths', models.PositiveSmallIntegerField(help_text='0 (worst) to 10,000 (best): hundredths of a point, whole numbers so that sums stay exact.')),
                ('rated_at', models.DateTimeField()),
                ('credit', models.CharField(choices=[('rated', 'the person who was rated'), ('assignee', 'the assignee at that time'), ('last_reply', 'the last who replied')], default='rated', max_length=10)),
                ('counts', models.BooleanField(default=True)),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('received_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('agent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='ratings', to='agents.agent')),
                ('conversation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='helpdesk.conversation')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ratings', to='agents.workspace')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('counts', True)), fields=['agent', 'rated_at'], name='counting_rating_by_agent'), models.Index(fields=['workspace', 'received_at'], name='rating_by_arrival')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('counts', True)), fields=('conversation',), name='one_rating_counts_per_conversation'), models.CheckConstraint(condition=models.Q(('score_hundredths__range', (0, 10000))), name='rating_score_is_0_to_100'), models.CheckConstraint(condition=models.Q(('counts', False), ('withdrawn_at', None), _connector='OR'), name='withdrawn_rating_does_not_count'), models.CheckConstraint(condition=models.Q(('scale__in', ['binary', 'stars5', 'faces3', 'hubspot012', 'freshdesk', 'percent'])), name='rating_scale_is_known')],
            },
        ),
        migrations.CreateModel(
            name='RatingDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('n', models.PositiveIntegerField()),
                ('sum_hundredths', models.PositiveBigIntegerField()),
                ('sum_squares', models.PositiveBigIntegerField(help_text='Of hundredths.')),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rating_days', to='agents.agent')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['workspace', 'day', 'agent', 'n', 'sum_hundredths', 'sum_squares'], name='rating_day_by_workspace')],
                'constraints': [models.UniqueConstraint(fields=('agent', 'day'), name='one_row_per_agent_and_day'), models.CheckConstraint(condition=models.Q(('sum_hundredths__lte', django.db.models.expressions.CombinedExpression(models.F('n'), '*', models.Value(10000)))), name='daily_sum_is_possible_for_its_n')],
            },
        ),
        migrations.CreateModel(
            name='StoredTranscript',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('turns', models.JSONField(help_text='[{"role": …, "text": …, "at": epoch ms?, "name": …?}]')),
                ('masked', models.BooleanField()),
                ('delete_at', models.DateTimeField(db_index=True)),
                ('conversation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='stored_transcript', to='helpdesk.conversation')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.workspace')),
            ],
        ),
    ]
